"""The compiled loops over Hermite coefficients: their recurrences, and the sums over pairs of inputs."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.support.jit import jit

WIDTH = 64  # rows and columns of a tile; loops over a number known to the compiler run in vector registers


@jit(cache=True, fastmath={"contract"})
def add_kink(c, z, density, bend, jump):  # type: ignore[no-untyped-def]
    """Add to cₙ (K, M), n > 1, what a kink at distances z (M,) contributes; density (M,) is √φ(z)."""
    before, h = np.zeros_like(z), density.copy()
    for n in range(2, c.shape[0] + 1):
        p, q = 1.0 / np.sqrt(n * (n - 1.0)), 1.0 / np.sqrt(n * 1.0)
        shrink, root = 1.0 / np.sqrt(n - 1.0), np.sqrt(n - 2.0)
        for i in range(z.size):  # h holds √φ hₙ₋₂(-z)
            after = (-z[i] * h[i] - root * before[i]) * shrink
            c[n - 1, i] += density[i] * (bend[i] * p * h[i] + jump * q * after)
            before[i], h[i] = h[i], after


@jit(cache=True, fastmath={"contract", "reassoc"})
def project(xi, g, c):  # type: ignore[no-untyped-def]
    """Set c (K, M) to Σ g hₙ₋₁(ξ)/√n, over nodes (M, Q)."""
    before, h = np.empty(xi.shape[1]), np.empty(xi.shape[1])
    for i in range(xi.shape[0]):
        before[:], h[:] = 0.0, 1.0
        for n in range(1, c.shape[0] + 1):
            total, shrink, root = 0.0, 1.0 / np.sqrt(n * 1.0), np.sqrt(n - 1.0)
            for k in range(h.size):
                total += g[i, k] * h[k]
                after = (xi[i, k] * h[k] - root * before[k]) * shrink
                before[k], h[k] = h[k], after
            c[n - 1, i] = total * shrink


@jit(cache=True, fastmath={"contract"})
def largest(S, inverse):  # type: ignore[no-untyped-def]
    """Return the largest |S_ij| inverse_i inverse_j, i < j, of matrices (B, N, N); at most 1."""
    most, n = 0.0, S.shape[1]
    for b in range(S.shape[0]):
        for i in range(n):
            row = 0.0
            for j in range(i):
                row = max(row, abs(S[b, i, j]) * inverse[b * n + j])
            most = max(most, row * inverse[b * n + i])
    return min(most, 1.0)


@jit(cache=True, fastmath={"contract"})
def pair_sums(c, tail, i, j, r, tolerance, total, reached):  # type: ignore[no-untyped-def]
    """Set total (P,) to Σ rⁿ cₙ(i) cₙ(j) with c (M, K), and reached (P,) to whether the remainder is small."""
    for p in range(r.size):
        a, b, power, value = i[p], j[p], 1.0, 0.0
        for n in range(c.shape[1]):
            power *= r[p]
            value += power * (c[a, n] * c[b, n])
            if abs(power) * (tail[a, n] * tail[b, n]) <= tolerance:
                reached[p] = True
                break
        total[p] = value


@jit(cache=True, fastmath={"contract"})
def tile_sums(S, inverse, reach, c, tail, tolerance, out):  # type: ignore[no-untyped-def]
    """Set out (B, N, N) to Σ rⁿ cₙ cₙ off the diagonal, by Horner's rule in tiles; return how many pairs it leaves."""
    orders, n = c.shape[0], S.shape[1]
    tiles = (n + WIDTH - 1) // WIDTH
    columns, r, sums = np.zeros((orders + 4) * WIDTH), np.empty(WIDTH * WIDTH), np.empty(WIDTH)
    largest, missed = np.empty((tiles, orders)), 0
    for b in range(S.shape[0]):
        for t in range(tiles):
            low, high = b * n + t * WIDTH, b * n + min(n, (t + 1) * WIDTH)
            for k in range(orders):
                most = 0.0
                for i in range(low, high):
                    most = max(most, tail[k, i])
                largest[t, k] = most
        for v in range(tiles):
            right, many = v * WIDTH, min(WIDTH, n - v * WIDTH)
            for k in range(orders):
                for j in range(many):
                    columns[k * WIDTH + j] = c[k, b * n + right + j]
            for u in range(v + 1):
                left, rows = u * WIDTH, min(WIDTH, n - u * WIDTH)
                top = 0.0
                for i in range(rows):
                    scale, far = inverse[b * n + left + i], reach[b * n + left + i]
                    for j in range(WIDTH):
                        r[i * WIDTH + j] = 0.0
                    for j in range(i + 1 if u == v else 0, many):
                        at = S[b, left + i, right + j] * scale * inverse[b * n + right + j]
                        at = min(max(at, -1.0), 1.0)
                        if abs(at) > far * reach[b * n + right + j]:
                            missed += 1
                        else:
                            r[i * WIDTH + j] = at
                            top = max(top, abs(at))
                if top == 0.0:
                    continue
                count, power = 0, 1.0
                while count < orders:  # the order after which the remainder of every pair is small
                    count += 1
                    power *= top
                    if power * (largest[u, count - 1] * largest[v, count - 1]) <= tolerance:
                        break
                groups = (count + 3) // 4  # a few zeros follow the last order of the table
                for i in range(rows):
                    for j in range(WIDTH):
                        sums[j] = 0.0
                    row, at = b * n + left + i, i * WIDTH
                    for g in range(groups - 1, -1, -1):
                        k = 4 * g
                        c0 = c[k, row]
                        c1 = c[k + 1, row] if k + 1 < orders else 0.0
                        c2 = c[k + 2, row] if k + 2 < orders else 0.0
                        c3 = c[k + 3, row] if k + 3 < orders else 0.0
                        base = k * WIDTH
                        for j in range(WIDTH):
                            x = r[at + j]
                            y = sums[j] * x + c3 * columns[base + 3 * WIDTH + j]
                            y = y * x + c2 * columns[base + 2 * WIDTH + j]
                            y = y * x + c1 * columns[base + WIDTH + j]
                            sums[j] = y * x + c0 * columns[base + j]
                    for j in range(i + 1 if u == v else 0, many):
                        value = sums[j] * r[at + j]
                        out[b, left + i, right + j] = value
                        out[b, right + j, left + i] = value
    return missed
