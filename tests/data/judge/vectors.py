"""Writes vectors.json: small cases of the sequential tests, computed from their definitions with 60 digits by mpmath,
apart from the Rust code: sums over minutes are not kept but taken anew, integrals are integrated.

    pip install mpmath && python3 tests/data/judge/vectors.py > tests/data/judge/vectors.json
"""
import json
import random
from mpmath import mp, mpf, log, exp, beta, quad, inf, gamma, sqrt, binomial

mp.dps = 60
EDGES = [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 10**9]


def spread(params, m):
    if m < 2:
        return mpf(0), mpf(1)
    bin_ = max(i for i in range(len(EDGES) - 1) if m >= EDGES[i])
    inflation = mpf(params["A"]) * (1 + (m - 1) * mpf(params["r_by_bin"][bin_]))
    return min(max((inflation - 1) / (m - 1), mpf(0)), mpf("0.9")), inflation


def pmf(x, m, p, r):
    if r < mpf("1e-7"):
        return binomial(m, x) * p**x * (1 - p) ** (m - x)
    s = (1 - r) / r
    return binomial(m, x) * beta(x + p * s, m - x + (1 - p) * s) / beta(p * s, (1 - p) * s)


def factor(params, minute, null, other):
    nb, xb, nc, xc = minute
    m = xb + xc
    if m == 0 or nb == 0 or nc == 0:
        return mpf(1)
    w = mpf(nc) / (nc + nb)
    p, q = w * null / (w * null + 1 - w), w * other / (w * other + 1 - w)
    r, inflation = spread(params, m)
    tempered = ((q / p) ** xc * ((1 - q) / (1 - p)) ** xb) ** (1 / inflation)
    return min(tempered, pmf(xc, m, q, r) / pmf(xc, m, p, r))


def abort(params, minutes):
    """Each stake is followed from the minute in which it was placed."""
    rho0, n = mpf(params["rho0"]), params["horizon"]
    restart = mpf(params["restart"])
    stakes = [1 - restart] + [restart / (n - 1)] * (n - 1) + [mpf(0)] * len(minutes)
    out = []
    for t in range(len(minutes)):
        total = 1 - sum(stakes[: t + 1])
        for g in params["rho_grid"]:
            for begun in range(t + 1):
                wealth = stakes[begun] / len(params["rho_grid"])
                for minute in minutes[begun : t + 1]:
                    if minute is not None:
                        wealth *= factor(params, minute, rho0, rho0 * mpf(g))
                total += wealth
        out.append(log(total))
    return out


def relative(params, minutes):
    rho1, out = mpf(params["rho1"]), []
    for t in range(len(minutes)):
        total = mpf(0)
        for g in ["1", "0.7", "0.4", "0.1"]:
            wealth = mpf(1) / 4
            for minute in filter(None, minutes[: t + 1]):
                wealth *= factor(params, minute, rho1, mpf(g))
            total += wealth
        out.append(log(total))
    return out


def absolute(params, minutes):
    lmax, out = mpf(params["lmax"]), []
    for t in range(len(minutes)):
        n = sum(m[2] for m in filter(None, minutes[: t + 1]))
        x = sum(m[3] for m in filter(None, minutes[: t + 1]))
        rates = [lmax * mpf(share) for share in ["0.5", "0.2", "0.05", "0"]]
        out.append(log(sum((r / lmax) ** x * ((1 - r) / (1 - lmax)) ** (n - x) for r in rates) / 4))
    return out


def student(d):
    out, seen = [], []
    for value in d:
        if value is not None:
            seen.append(mpf(value))
        n = len(seen)
        squares = sum(v * v for v in seen)
        if n < 2 or squares == 0:
            out.append(mpf(0))
            continue
        z, total = sum(seen) / sqrt(squares), mpf(0)
        for delta in ["0.3", "0.6", "1", "2", "4"]:
            a = mpf(delta) * z
            f = lambda v: v ** (n - 1) * exp(-v * v / 2 + a * v)
            peak = (a + sqrt(a * a + 4 * (n - 1))) / 2
            integral = quad(f, [0, max(peak - 3, peak / 2), peak, peak + 3, peak + 8, peak + 30])
            total += exp(-n * mpf(delta) ** 2 / 2) * integral / (mpf(2) ** (mpf(n) / 2 - 1) * gamma(mpf(n) / 2)) / 5
        out.append(log(total))
    return out


def cases():
    dice = random.Random(20)
    for index, (rpm, weight, base, ratio, r, a, rho0, restart) in enumerate(
        [
            (200, 0.1, 0.01, 1, 0.02, 1.0, 1.1, 0.25),
            (1000, 0.25, 0.01, 3, 0.1, 1.0, 1.1, 0.25),
            (60, 0.05, 0.002, 300, 0.3, 2.5, 1.25, 0.25),
            (3000, 0.5, 0.05, 1.3, 0.0, 1.0, 1.0, 0.0),
            (40, 0.3, 0.5, 1, 0.9, 1.0, 1.1, 0.5),
        ]
    ):
        params = {
            "rho0": rho0, "restart": restart, "horizon": 10, "alpha": 0.01, "A": a, "tol": 1.25, "rho1": 2.0,
            "lmax": 0.02, "rho_grid": [1.5, 2, 3, 5, 8, 15, 30, 100], "bin_edges": EDGES,
            "r_by_bin": [round(min(0.9, r * (1 + 3 / (i + 1))), 6) for i in range(10)],
        }
        minutes = []
        for t in range(12):
            nc = round(rpm * weight * dice.uniform(0.7, 1.3))
            nb = round(rpm * (1 - weight) * dice.uniform(0.7, 1.3))
            xc = sum(dice.random() < min(1, base * ratio) for _ in range(nc))
            xb = sum(dice.random() < base for _ in range(nb))
            minutes.append((nb, xb, nc, xc))
        if index == 2:
            minutes[3], minutes[5] = None, (57, 0, 0, 0)
        yield {
            "id": f"count-{index}", "kind": "count_e_process", "params": params,
            "n_baseline": [m and m[0] for m in minutes], "x_baseline": [m and m[1] for m in minutes],
            "n_canary": [m and m[2] for m in minutes], "x_canary": [m and m[3] for m in minutes],
            "expected": {
                "log_e": [float(v) for v in abort(params, minutes)],
                "log_e_pass_rho1": [float(v) for v in relative(params, minutes)],
                "log_e_abs": [float(v) for v in absolute(params, minutes)],
            },
        }
    for index, (mean, sd) in enumerate([(0, 1), (1, 1), (0.02, 0.005)]):
        d = [round(dice.gauss(mean, sd), 9) for _ in range(9)]
        d[4] = None
        yield {"id": f"t-{index}", "kind": "t_e_process", "d": d, "tolerance": 1e-4, "expected": {"log_e": [float(v) for v in student(d)]}}


lines = ",\n".join(json.dumps(case) for case in cases())
print('{"vectors": [\n' + lines + "\n]}")
