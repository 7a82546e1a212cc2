import pytest

from brainwavlm.reporting import write_report
from tests.reporting.fakes import fake_evaluation


@pytest.fixture(scope="package")
def simulated_evaluation(tmp_path_factory):
    return fake_evaluation(tmp_path_factory.mktemp("simulated"), n_voxels=400)


@pytest.fixture(scope="package")
def simulated_page(simulated_evaluation):
    return write_report(simulated_evaluation, simulated_evaluation / "report.html")


@pytest.fixture(scope="package")
def measured_page(tmp_path_factory):
    """Measured responses of six regions: no surface."""
    names = ["Heschl left", "Heschl right", "STG left", "STG right", "IFG left", "IFG right"]
    runs = (("only", "cortex"),)
    folder = fake_evaluation(
        tmp_path_factory.mktemp("measured"), 6, simulated=False, runs=runs, region_names=names
    )
    return write_report(folder, folder / "report.html")
