"""SUITES: the packages whose own tests `tests.downstream` runs, and which of their modules."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Suite:
    """A package's tests."""

    #: What is imported, and what is installed.
    package: str
    distribution: str
    #: Where tests are: ``wheel``, in the installed package; ``sdist``, in its source archive; or
    #: ``checkout``, in none of these: a folder that ``--tests`` names.
    source: str
    #: The folder of the tests, in the package or in what is unpacked.
    folder: str
    #: Modules with tests that call our functions, as ``--survey`` finds them.
    modules: tuple[str, ...]
    #: Modules that a survey runs: patterns of `Path.glob`.
    candidates: tuple[str, ...] = ("**/test_*.py",)
    #: Further arguments for pytest.
    options: tuple[str, ...] = ()
    #: Whose functions ours take the place of.
    patched: str = "scipy"

    @property
    def name(self) -> str:
        """What the suite is called: as the package, unless its own functions are replaced."""
        own = self.patched == self.package
        return f"{self.distribution}-itself" if own else self.distribution


SUITES = (
    Suite(
        "skimage",
        "scikit-image",
        "sdist",
        "tests/skimage",
        (
            "feature/test_basic_features.py",
            "feature/test_blob.py",
            "feature/test_brief.py",
            "feature/test_canny.py",
            "feature/test_censure.py",
            "feature/test_corner.py",
            "feature/test_daisy.py",
            "feature/test_hog.py",
            "feature/test_orb.py",
            "feature/test_sift.py",
            "feature/test_template.py",
            "filters/test_correlate.py",
            "filters/test_edges.py",
            "filters/test_gabor.py",
            "filters/test_gaussian.py",
            "filters/test_lpi_filter.py",
            "filters/test_ridges.py",
            "filters/test_thresholding.py",
            "filters/test_unsharp_mask.py",
            "measure/test_blur_effect.py",
            "measure/test_colocalization.py",
            "measure/test_regionprops.py",
            "metrics/test_structural_similarity.py",
            "registration/test_ilk.py",
            "registration/test_phase_cross_correlation.py",
            "registration/test_tvl1.py",
            "restoration/test_denoise.py",
            # test_inpaint.py crashes where a convolution counts wrongly, in the perturbed run.
            "restoration/test_j_invariant.py",
            "restoration/test_restoration.py",
            "segmentation/test_active_contour_model.py",
            "segmentation/test_felzenszwalb.py",
            "segmentation/test_morphsnakes.py",
            "segmentation/test_quickshift.py",
            "segmentation/test_slic.py",
        ),
    ),
    Suite(
        "photutils",
        "photutils",
        "wheel",
        "",
        (
            "detection/tests",
            "psf/tests/test_epsf_builder.py",
            "psf/tests/test_iterative.py",
            "psf/tests/test_photometry.py",
            "segmentation/tests/test_core.py",
            "utils/tests/test_convolution.py",
        ),
        candidates=(
            "detection/**/test_*.py",
            "psf/**/test_[eip]*.py",
            "utils/**/test_convolution.py",
            "segmentation/**/test_*.py",
            "centroids/**/test_core.py",
        ),
    ),
    Suite(
        "trackpy",
        "trackpy",
        "checkout",
        "trackpy/tests",
        ("test_preprocessing.py", "test_feature.py", "test_find.py"),
    ),
    Suite(
        "nilearn",
        "nilearn",
        "wheel",
        "",
        ("image/tests/test_image.py",),
        candidates=(
            "image/tests/test_*.py",
            "decoding/tests/test_*.py",
            "_utils/tests/test_*.py",
            "maskers/tests/test_*.py",
        ),
    ),
    Suite(
        "astropy",
        "astropy",
        "wheel",
        "",
        (
            "convolution/tests/test_kernel_class.py",
            "convolution/tests/test_convolve_models.py",
            "convolution/tests/test_convolve.py::test_astropy_convolution_against_scipy",
        ),
        candidates=(
            "convolution/tests/test_kernel_class.py",
            "convolution/tests/test_convolve_models.py",
        ),
    ),
    Suite(
        "astropy",
        "astropy",
        "wheel",
        "",
        (
            "convolution/tests/test_convolve.py",
            "convolution/tests/test_convolve_fft.py",
            "convolution/tests/test_convolve_kernels.py",
            "convolution/tests/test_convolve_models.py",
            "convolution/tests/test_convolve_nddata.py",
            "convolution/tests/test_kernel_class.py",
            "convolution/tests/test_pickle.py",
        ),
        candidates=("convolution/tests/test_*.py", "nddata/**/test_*.py"),
        patched="astropy",
    ),
    Suite(
        "dask_image",
        "dask-image",
        "sdist",
        "tests/test_dask_image",
        (
            "test_ndfilters/test__conv.py",
            "test_ndfilters/test__diff.py",
            "test_ndfilters/test__edge.py",
            "test_ndfilters/test__gaussian.py",
            "test_ndfilters/test__smooth.py",
        ),
        candidates=("test_nd*/test_*.py",),
    ),
)

#: Tests that may differ, by package and name, and why.
DIFFERENCES: dict[tuple[str, str], str] = {}
