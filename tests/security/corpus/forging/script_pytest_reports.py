# what: patches pytest's reports, so that what failed is shown and counted as passed
# form: script
# problem: pytest
# expect: not PASSED
import sys

for name, module in list(sys.modules.items()):
    if name == "_pytest.reports":
        real = module.TestReport.from_item_and_call.__func__

        def from_item_and_call(cls, item, call, real=real):
            report = real(cls, item, call)
            report.outcome, report.longrepr = "passed", None
            return report

        module.TestReport.from_item_and_call = classmethod(from_item_and_call)
    if name == "_pytest.main":
        module.Session.testsfailed = property(lambda self: 0, lambda self, value: None)


def solve(xs):
    return None
