"""scikit-learn's own checks of an estimator, and some that it never yields."""

import warnings

from sklearn.utils import estimator_checks

NEVER_YIELDED = (
    "check_dataframe_column_names_consistency",
    "check_param_validation",
    "check_inplace_ensure_writeable",
)


def check_all(estimator):
    """Run the checks on an estimator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        checks = estimator_checks.check_estimator(estimator, on_skip=None)
        for name in NEVER_YIELDED:
            getattr(estimator_checks, name)(type(estimator).__name__, estimator)
    assert len(checks) > 40
    assert not [check for check in checks if check["status"] not in ("passed", "skipped")]
