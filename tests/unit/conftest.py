"""What several modules look at: bundles of evidence, and exports that are made."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.exhibit import Exhibit
from tests.support.exporting import Desk
from tests.support.issuer import Issued, Issuer


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    """A certificate authority."""
    return Issuer()


@pytest.fixture(scope="module")
def issued(issuer: Issuer) -> Issued:
    """The certificate that the organisation signs with."""
    return issuer.issue()


@pytest.fixture(scope="module")
def exhibit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exhibit]:
    """Footage of which bundles are made; who signs them is for the module to say."""
    one = Exhibit(tmp_path_factory.mktemp("exhibit"))
    yield one
    one.close()


@pytest.fixture(scope="module")
def whole(
    request: pytest.FixtureRequest, exhibit: Exhibit, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A bundle that nobody changes, with what the module's ``BESIDE`` asks for."""
    beside: dict[str, bool] = getattr(request.module, "BESIDE", {})
    return exhibit.bundle(tmp_path_factory.mktemp("made") / "bundle", **beside)


@pytest.fixture
def bundle(whole: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return shutil.copytree(whole, tmp_path / "bundle")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A site whose exports are made at once."""
    one = Desk(tmp_path)
    yield one
    one.catalog.close()
