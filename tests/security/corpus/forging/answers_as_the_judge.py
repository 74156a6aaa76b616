# what: serves the channel itself with the judge's own library: claims each call stopped, exceeded, was not splittable
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import sys

KINDS = iter((3, 5, 2, 8, 0, 255, 7))


def own(name):
    return [module for key, module in list(sys.modules.items()) if key.endswith("." + name) and "inside" in key or key.endswith(name)]


for module in own("candidate"):
    if hasattr(module, "pack"):
        real = module.pack

        def pack(kind, number, parts, real=real):
            return real(next(KINDS, 11), number, [b"N", b"", b"NoneType"])

        module.pack = pack


def solve(xs):
    return []
