"""Paragraphs of the docstrings of filters: the arguments that all of them take."""

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
        Axes of `x` to filter along. By default all axes of an array of one or two dimensions. An
        array of more needs `axes`, because its third axis may hold colours.
    $signal_axes:
    axes : int or sequence of int, optional
        One or two axes of `x` to filter along. By default all axes of an array of one or two
        dimensions. An array of more needs `axes`, because its third axis may hold colours.
    $image_axes:
    axes : sequence of int, optional
        Two axes of `x` to filter along. By default those of an image of two dimensions. An array
        of more needs `axes`, because its third axis may hold colours.
    $volume_axes:
    axes : sequence of int, optional
        Three axes of `x` to filter along. By default those of a volume of three dimensions. An
        array of more needs `axes`.
    $boundary:
    boundary : str or sequence of str, optional
        What is read outside `x`, for all axes or each (for samples ``a b c d``):

        - ``symmetric``, the default: ``c b a | a b c d | d c b``; also called ``grid-mirror`` and
          ``symm``
        - ``mirror``: ``d c b | a b c d | c b a``
        - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
        - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
        - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also ``fill``, and
          ``zero`` or ``zeros`` where `k` = 0
    $fill_value:
    fill_value : scalar, optional
        The value that ``boundary='constant'`` reads outside.
    $stride:
    stride : int or sequence of int, optional
        Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
        it does.
    $dtype:
    dtype : dtype, optional
        Dtype of the result. Floating-point and complex data keep theirs. With fractional weights,
        bool and 8- and 16-bit integers give float32, and wider integers float64. With whole
        weights (`sobel`, `laplace`, `sharpen`, …) integers give exact int64. For an integer dtype
        such a result is rounded half to even.
    $real_dtype:
    dtype : dtype, optional
        A floating-point dtype. By default that of `x`, for bool and 8- and 16-bit integers
        float32, for wider ones float64.
    $overflow:
    overflow : {'raise', 'wrap', 'saturate'}, optional
        What happens if an integer result cannot hold the exact sum. ``raise`` decides before any
        work, by the bound that follows from the range of `x` and the weights. ``wrap`` keeps the
        low bits, and ``saturate`` the nearest value of the dtype.
    $nan_policy:
    nan_policy : {'propagate', 'raise', 'omit'}, optional
        ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
        refuses data with NaN. ``omit`` leaves NaN out, as `mask` does. With a `fill_value` of NaN
        it also leaves out the samples outside.
    $mask:
    mask : array_like of bool, optional
        True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
        own. Results are divided by the sum of the weights of the valid samples, as those of
        `pyconv.correlate` with the same kernel: they are means of the valid samples, and NaN where
        too few are valid. Kernels whose weights cancel are refused, whatever the data: those of
        derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
        :doc:`/missing`.
    $out:
    out : ndarray, optional
        Array that receives the result: its shape and dtype must be those of the result. It
        may overlap `x`.
    $method:
    method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
        Algorithm. ``auto``, the default, takes the one with the least predicted time. A name
        applies to the kernel of all axes together.
    $rtol:
    rtol : float, optional
        Error that is allowed, as a part of ``max|x| * sum|w|``. 0 allows only plain sums of
        products; 1e-4 for each axis, or a third of that, allows recursive Gaussians. A number
        applies to the kernel of all axes together. By default the error is within the bound of a
        plain sum. That of a Fourier transform is expected to stay within 64 units of rounding of
        ``sum|w|`` times the largest sample of the window. Integer results are always exact.
    $max_memory:
    max_memory : int, optional
        Limit of the workspace in bytes, besides `x` and the result, which is made beside an `out`
        that overlaps `x`. By default passes along one axis after the other may take some arrays of
        the size of `x`, and a kernel of all axes 256 MiB. If passes need more than the limit, the
        kernel of all axes is used.
    $workers:
    workers : int, optional
        Largest number of threads; -1 means all CPUs that this process may use. The default is that
        of `pyconv.set_workers`, and less for small problems. Results are the same bits for any
        number.
    $returns:
    Returns
    -------
    ndarray
        The result, in the shape of `x`, or less with a `stride`; `out` if that was given.
    $raises:
    Raises
    ------
    ValueError
        For values and combinations that are not allowed; the message names the argument, its
        value and what is allowed. Where samples may be left out, for weights that cancel, whatever
        the data.
    TypeError
        For dtypes and argument types that are not allowed.
    OverflowError
        Under ``overflow='raise'``, if an integer result might not hold the exact sum.
    $memory_error
    $real_raises:
    Raises
    ------
    ValueError
        For values and combinations that are not allowed; the message names the argument, its
        value and what is allowed. Where samples may be left out, for weights that cancel, whatever
        the data.
    TypeError
        For dtypes and argument types that are not allowed, complex data among them.
    $memory_error
    $memory_error:
    MemoryError
        If the result or the workspace cannot be allocated, or `max_memory` is too little for any
        algorithm; the message names the least that would do, or a bound from below where samples
        are left out.
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
