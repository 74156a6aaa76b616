# what: raises SkipTest when it is imported, which skips the whole file
# form: script
# expect: not PASSED
import unittest

raise unittest.SkipTest("not on this platform")
