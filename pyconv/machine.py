"""What this machine can do: the constants that predicted times are made of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """Rates of one core. The defaults are those of a 2023 server core at about 3.5 GHz."""

    #: Multiply-adds per second of the vector loops, in bytes of operands: a float32
    #: multiply-add is 4 bytes, so that float64 runs at half the rate.
    direct_bytes_per_second: float = 160e9
    #: The same for a BLAS matrix product with one row, which reads each operand once.
    gemv_bytes_per_second: float = 10e9
    #: A stage of a Fourier transform, there and back, of two real tiles held as one complex: in
    #: bytes of the samples of one. Measured on a Zen 4 core with AVX-512 and with AVX2.
    fft_rate: float = 20e9
    #: What stays in the cache of one core.
    cache_bytes: float = 1 << 20
    #: Streaming copy, both directions counted.
    copy_bytes_per_second: float = 13e9
    #: NumPy's gather, product and sum of one tap of one output.
    numpy_seconds_per_product: float = 3e-9
    #: A thread is worth waking for this much work. Waking takes a few microseconds; but where
    #: the CPUs are busy with something else, the others wait for it for milliseconds.
    seconds_per_thread: float = 100e-6


MACHINE = Machine()
