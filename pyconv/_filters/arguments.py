"""What every filter is told beside its kernel: the paragraphs of their docstrings."""

from __future__ import annotations

from pyconv._engine.docstrings import paragraphs

#: Paragraphs of the docstrings of the public functions.
SHARED = paragraphs("""
    $x:
    x : array_like
        Source array of any shape; bool, integer, floating-point or complex.
    $real_x:
    x : array_like
        Source array of real numbers, of any shape; bool, integer or floating-point.
    $axis:
    axis : int, optional
        Axis of `x` along which samples are compared, one of `axes`; along the others they are
        smoothed.
    $diagonals:
    diagonals : bool, optional
        Whether all 3^n − 1 samples around the centre count (8 on images), or the 2 · n that share
        an edge or face with it (4 on images); n axes are filtered.
    $aspect:
    aspect : float, optional
        The Gaussian's standard deviation across the wave is that along it, divided by `aspect`.
    $phase:
    phase : float, optional
        ψ in radians: 0 is even (a bright line), −π/2 odd (an edge, positive where samples grow
        along the wave).
    $axes:
    axes : int or sequence of int, optional
        Axes of `x` to filter along. By default all of a signal or an image of one or two
        dimensions; arrays of more say which, because a third may hold colours.
    $signal_axes:
    axes : int or sequence of int, optional
        One or two axes of `x` to filter along. By default all of a signal or an image of one or
        two dimensions; arrays of more say which, because a third may hold colours.
    $image_axes:
    axes : sequence of int, optional
        Two axes of `x` to filter along. By default those of an image of two dimensions; arrays
        of more say which, because a third may hold colours.
    $volume_axes:
    axes : sequence of int, optional
        Three axes of `x` to filter along. By default those of a volume of three dimensions;
        arrays of more say which.
    $boundary:
    boundary : str or sequence of str, optional
        What is read outside `x`, for all axes or each, as for `pyconv.correlate`; by default
        the samples mirrored at the edge.
    $fill_value:
    fill_value : scalar, optional
        The value that ``boundary='constant'`` reads outside.
    $stride:
    stride : int or sequence of int, optional
        Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
        it does.
    $dtype:
    dtype : dtype, optional
        Dtype of the result. Floating-point and complex data keep theirs. Weights that are no
        whole numbers make float32 of bool and of 8- and 16-bit integers, float64 of wider ones;
        whole weights (`sobel`, `laplace`, `sharpen`, …) keep integers exact, as int64. An
        integer dtype is rounded half to even from such a result.
    $real_dtype:
    dtype : dtype, optional
        A floating-point dtype. By default that of `x`, for bool and 8- and 16-bit integers
        float32, for wider ones float64.
    $overflow:
    overflow : {'raise', 'wrap', 'saturate'}, optional
        What happens where an integer `dtype` cannot hold the result, as for `pyconv.correlate`.
    $nan_policy:
    nan_policy : {'propagate', 'raise', 'omit'}, optional
        ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
        refuses data with NaN. ``omit`` leaves NaN out, as `mask` does; with a `fill_value` that
        is NaN, what is outside is left out too.
    $mask:
    mask : array_like of bool, optional
        True for samples to leave out, whatever they hold; it is broadcast to the shape of `x`. A
        masked array brings its own. Results are divided by the part of the weights that was seen,
        as those of `pyconv.correlate` with the same kernel: a mean of what is there, and NaN
        where too little is. Kernels whose weights cancel are refused, whatever the data: those of
        derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
        :doc:`/missing`.
    $out:
    out : ndarray, optional
        Array that receives the result: its shape and dtype must be those of the result. It
        may overlap `x`.
    $method:
    method : str, optional
        Algorithm, as for `pyconv.correlate`; one that is named makes one kernel of all axes.
    $rtol:
    rtol : float, optional
        Error that is granted, as for `pyconv.correlate`; it makes one kernel of all axes.
    $max_memory:
    max_memory : int, optional
        Bytes of workspace that the call may take at most, as for `pyconv.correlate`. By default
        what goes along one axis after the other may take some arrays of the size of `x`; where
        that is more than is granted, it is one kernel of all axes.
    $workers:
    workers : int, optional
        Threads to use at most, as for `pyconv.correlate`. Results are the same bits for any
        number.
    $returns:
    Returns
    -------
    ndarray
        The result, in the shape of `x`, of which `stride` leaves a part; `out` if that was given.
    $raises:
    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `pyconv.correlate`; the message names the argument, its value and what is allowed.
    $real_raises:
    Raises
    ------
    ValueError, TypeError, MemoryError
        As for `pyconv.correlate`; the message names the argument, its value and what is allowed.
    $see_also:
    See Also
    --------
    pyconv.kernels.$name : the weights.
    $examples:
    Examples
    --------
    >>> from pyconv import filters
    $array_examples:
    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import filters
""")
