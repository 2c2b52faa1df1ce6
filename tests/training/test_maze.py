from dataclasses import replace
from itertools import pairwise
from math import inf, nan

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctrnn_theory.activations import activation
from ctrnn_theory.integrators.normals import LANES, seed_words, standard_normals
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.training.tasks import TASKS, Maze, Model, agents
from ctrnn_theory.training.tasks.maze_world import DIRECTIONS, EACH, FIRST, RAYS, move, sense

RELU = activation("relu")


def everywhere(count=LANES, seed=0):
    return np.random.default_rng(seed).uniform(0.0, 1.0, (2, count))


def sensed(task, state, constants=None):
    u = np.full((RAYS + 2, LANES), nan)
    sense(np.ascontiguousarray(state), u, task.world[2] if constants is None else constants)
    return u


def moved(task, state, z, constants=None):
    state, cost = np.array(state), np.zeros(LANES)
    move(0, np.array(z), state, cost, task.world[2] if constants is None else constants)
    return state, cost


def lanes(point):
    return np.repeat(np.asarray(point, dtype=float)[:, None], LANES, axis=1)


def crossing(p, q, wall):
    """Where on the wall, from 0 to 1, and where on the line p q it crosses it; None for parallels."""
    (a, b), step = wall, q - p
    if abs(np.linalg.det([b - a, -step])) < 1e-14:
        return None
    return np.linalg.solve(np.stack([b - a, -step], axis=1), p - a)


def distance(task, point, direction):
    """The nearest wall by trying each, from a hair off the sides of the square."""
    point = np.clip(point, 1e-12, 1.0 - 1e-12)
    found = [crossing(point, point + direction, wall) for wall in task.walls]
    return min(at for on, at in filter(lambda x: x is not None, found) if -1e-12 <= on <= 1.0 + 1e-12 and at >= 0.0)


def way(task, point):
    """Length through the middles of the openings ahead, to the goal."""
    ahead = [wall for wall in task.walls[4:] if wall[0, 0] > point[0]]
    free = [0.5 * (1.0 + w[1, 1]) if w[0, 1] == 0.0 else 0.5 * w[0, 1] for w in ahead]
    points = [point, *((w[0, 0], y) for w, y in zip(ahead, free, strict=True)), task.goal]
    return sum(np.linalg.norm(np.subtract(a, b)) for a, b in pairwise(points))


def after(task, point, z):
    """One step of the agent, slowly."""
    wanted = np.clip(point + task.speed * z / max(np.linalg.norm(z), 1.0), 0.0, 1.0)
    for wall in task.walls[4:]:
        met = crossing(point, wanted, wall)
        if met is not None and np.all((met >= 0.0) & (met <= 1.0)):
            wanted[0] = point[0]
    return wanted


@pytest.mark.parametrize("baffles", [1, 2, 5])
def test_rays_end_at_the_nearest_wall(baffles):
    task, state = Maze(baffles=baffles), everywhere()
    expected = [[distance(task, point, direction) for point in state.T] for direction in DIRECTIONS]
    np.testing.assert_allclose(sensed(task, state)[:RAYS], expected, atol=1e-11)


def test_the_goal_is_sensed_as_a_unit_vector_that_shrinks_within_it():
    task = Maze()
    state = everywhere()
    state[:, 0], state[:, 1] = task.goal, task.goal + np.array([0.0, 0.25 * task.radius])
    to = sensed(task, state)[RAYS:]
    np.testing.assert_array_equal(to[:, 0], 0.0)
    np.testing.assert_allclose(to[:, 1], [0.0, -0.25], atol=1e-14)
    gap = task.goal[:, None] - state
    far = np.linalg.norm(gap, axis=0) > task.radius
    np.testing.assert_allclose(to[:, far], gap[:, far] / np.linalg.norm(gap[:, far], axis=0), atol=1e-14)


AXIS = st.one_of(st.floats(0.0, 1.0), st.sampled_from([0.0, 0.3, 1 / 3, 2 / 3, 0.7, 1.0]))
COMPONENT = st.one_of(st.floats(-3.0, 3.0), st.sampled_from([-1.0, 0.0, 1.0]))


def through_walls(task, path):
    """Whether a path (T + 1, 2) goes from one side of a baffle to the other without its opening, or leaves."""
    for wall in task.walls[4:]:
        for p, q in pairwise(path):
            if (p[0] < wall[0, 0]) != (q[0] < wall[0, 0]):
                height = p[1] + (q[1] - p[1]) * (wall[0, 0] - p[0]) / (q[0] - p[0])
                if wall[0, 1] + 1e-12 < height < wall[1, 1] - 1e-12:
                    return True
    return bool(np.any((path < 0.0) | (path > 1.0)))


@given(st.tuples(AXIS, AXIS), st.lists(st.tuples(COMPONENT, COMPONENT), min_size=20, max_size=40))
@example((0.32, 0.0), [(1.0, -1.0)] * 5)
@example((1 / 3, 0.2), [(-1.0, 0.0)] * 5)
def test_no_agent_goes_through_a_wall(start, velocities):
    task, path = Maze(), [np.array(start)]
    for z in velocities:
        path.append(moved(task, lanes(path[-1]), lanes(z))[0][:, 0])
    assert not through_walls(task, np.array(path))
    assert np.all(np.linalg.norm(np.diff(path, axis=0), axis=1) <= task.speed * (1.0 + 1e-12))


def test_without_walls_it_would():
    task, path = Maze(), [np.array([0.3, 0.3])]
    for _ in range(5):
        path.append(moved(task, lanes(path[-1]), lanes([1.0, 0.0]), task.world[2][:FIRST])[0][:, 0])
    assert through_walls(task, np.array(path))


def test_an_agent_slides_along_what_it_meets():
    task, slant = Maze(), np.sqrt(0.5) * 0.03
    (x, y), _ = moved(task, lanes([1 / 3 - 0.01, 0.2]), lanes([1.0, 1.0]))
    np.testing.assert_allclose([x[0], y[0]], [1 / 3 - 0.01, 0.2 + slant])  # a baffle: the distance is kept
    (x, y), _ = moved(task, lanes([0.01, 0.2]), lanes([-1.0, 1.0]))
    np.testing.assert_allclose([x[0], y[0]], [0.0, 0.2 + slant])  # a side: up to it


@pytest.mark.parametrize("seed", range(8))
def test_steps_agree_with_slow_ones(seed):
    task, rng = Maze(baffles=3), np.random.default_rng(seed)
    state, z = everywhere(seed=seed), rng.standard_normal((2, LANES)) * np.repeat([0.5, 3.0], LANES // 2)
    state[0, ::2] = np.tile([0.25, 0.5, 0.75, 0.02], LANES // 8)  # half of them near the ends of the baffles
    state[1, ::2] = np.tile([0.7, 0.3, 0.7, 0.02], LANES // 8)
    state[:, ::2] += rng.uniform(-0.02, 0.02, (2, LANES // 2))
    expected = np.array([after(task, p, v) for p, v in zip(state.T, z.T, strict=True)]).T
    free = state + task.speed * z / np.maximum(np.linalg.norm(z, axis=0), 1.0)
    assert np.any(np.abs(expected - free) > 1e-3)  # walls were met
    found, cost = moved(task, state, z)
    np.testing.assert_allclose(found, expected, atol=1e-14)
    unit = np.mean([way(task, start) for start in task.starts.T]) * task.steps
    np.testing.assert_allclose(cost * unit, [way(task, p) for p in expected.T], rtol=1e-13)


def test_upside_down_is_the_same():
    task, state, z = Maze(), everywhere(seed=3), np.random.default_rng(4).standard_normal((2, LANES))
    constants = task.world[2].copy()
    mirrored = constants.copy()
    mirrored[1] = 1.0 - mirrored[1]
    rows = mirrored[FIRST:].reshape(-1, EACH)
    rows[:, [1, 2]], rows[:, 3] = 1.0 - rows[:, [2, 1]], 1.0 - rows[:, 3]
    below, turn = np.stack([state[0], 1.0 - state[1]]), np.array([[1.0], [-1.0]])
    u, v = sensed(task, state), sensed(task, below, mirrored)
    np.testing.assert_allclose(v[(-np.arange(RAYS)) % RAYS], u[:RAYS], atol=1e-14)
    np.testing.assert_allclose(v[RAYS:], turn * u[RAYS:], atol=1e-14)
    (x, y), cost = moved(task, state, z)
    (x_below, y_below), cost_below = moved(task, below, turn * z, mirrored)
    np.testing.assert_allclose([x_below, 1.0 - y_below], [x, y], atol=1e-14)
    np.testing.assert_allclose(cost_below, cost, rtol=1e-13)


def random_network(n=5, seed=0):
    task, layout = Maze(), Maze().layout(n)
    return layout.network(task.guess(layout, np.random.default_rng(seed)), RELU, 0.3)


def test_closed_loop_agrees_with_a_slow_one():
    task, net, noise, key = Maze(steps=40), random_network(), Noise(inside=0.7, outside=0.4), seed_words(5)
    cost, states = task.paths(net, noise, LANES, key)
    variates = standard_normals(key, 0, task.steps, 2 * net.n)
    for lane in (0, 5, 63):
        h, point, total = np.zeros(net.n), task.starts[:, lane % task.conditions], 0.0
        for t, xi in enumerate(variates[:, :, lane]):
            np.testing.assert_allclose(states[t, :, lane], point, atol=1e-9)
            to = (task.goal - point) / max(np.linalg.norm(task.goal - point), task.radius)
            u = np.append([distance(task, point, direction) for direction in DIRECTIONS], to)
            a = np.maximum(net.W @ h + net.W_in @ u + net.b + 0.7 * xi[: net.n], 0.0) + 0.4 * xi[net.n :]
            h = 0.7 * h + 0.3 * a
            point = after(task, point, net.W_out @ h + net.b_out)
            total += way(task, point)
        unit = np.mean([way(task, start) for start in task.starts.T]) * task.steps
        assert cost[lane] == pytest.approx(total / unit, rel=1e-9)


def test_standing_still_costs_one():
    net = CTRNN(np.zeros((1, 1)), [0.0], "relu", 0.2, W_in=np.zeros((1, 10)), W_out=np.zeros((2, 1)), b_out=[0.0, 0.0])
    for task in (Maze(), Maze(baffles=1, gap=0.5, conditions=8)):
        result = task.trials(net, Noise(), 2, seed_words(0))
        assert result.cost.shape == (2, task.conditions)
        assert result.cost.mean() == pytest.approx(1.0, rel=1e-12)
        assert not result.success.any()


@pytest.mark.parametrize("baffles", [1, 2, 3])
def test_the_maze_can_be_solved_in_time(baffles):
    task = Maze(baffles=baffles)
    state = np.tile(task.starts, LANES // task.conditions)
    path, total = [state], np.zeros(LANES)
    for _ in range(task.steps):
        targets = np.repeat(task.goal[:, None], LANES, axis=1)
        for wall in task.walls[:3:-1]:  # the first baffle ahead is the last to be asked; go round its tip
            tip = wall[1] + [0.02, 0.05] if wall[0, 1] == 0.0 else wall[0] + [0.02, -0.05]
            targets = np.where(state[0] < wall[0, 0] + 0.01, tip[:, None], targets)
        state, cost = moved(task, state, (targets - state) / task.speed)
        total += cost
        path.append(state)
    assert np.all(task.succeeded(np.array(path)))
    assert total.mean() < 0.45


def test_success_is_to_come_near_at_any_time():
    task = Maze()
    states = np.repeat(task.starts[None], 3, axis=0)
    states[1, :, 1] = task.goal + np.array([0.0, 0.99 * task.radius])
    states[1, :, 2] = task.goal + np.array([0.0, 1.01 * task.radius])
    np.testing.assert_array_equal(task.succeeded(states), [False, True, False, False])


def test_outputs_that_are_not_finite_leave_the_agent_where_it_is():
    state = everywhere()
    for z in ([nan, 0.0], [0.0, -inf], [inf, inf], [1e200, 1e200]):
        np.testing.assert_array_equal(moved(Maze(), state, lanes(z))[0], state)
    net = CTRNN([[1e9]], [1.0], "relu", 1.0, W_in=np.zeros((1, 10)), W_out=[[1.0], [-1.0]], b_out=[0.0, 0.0])
    cost, states = Maze().paths(net, Noise(), 4, seed_words(0))
    assert np.all(np.isfinite(states))
    assert np.all(cost < 2.0)


def test_losses_do_not_depend_on_threads_or_neighbours():
    task, layout = Maze(repeats=48), Maze().layout(5)
    x = np.stack([task.guess(layout, np.random.default_rng(i)) for i in range(5)], axis=1)
    model = Model(RELU, 0.2, layout.weights(x), Noise(inside=1.0))
    together, key = task.simulated(model, seed_words(0), workers=1), seed_words(0)
    np.testing.assert_array_equal(task.simulated(model, key, workers=3), together)
    alone = model._replace(weights=layout.weights(x[:, 2:3]))
    np.testing.assert_array_equal(task.simulated(alone, key), together[2:3])
    assert task.simulated(model, seed_words(1))[0] != together[0]


def test_a_random_search_lowers_the_loss():
    task, layout, rng = Maze(), Maze().layout(8), np.random.default_rng(0)
    best = task.guess(layout, rng)

    def loss(x, generation):
        return task.simulated(Model(RELU, 0.2, layout.weights(x), Noise(inside=1.0)), seed_words(generation))

    (before,) = loss(best[:, None], 1000)
    for generation in range(15):
        x = best[:, None] + np.concatenate(
            [np.zeros((layout.size, 1)), 0.3 * rng.standard_normal((layout.size, 19))], 1
        )
        best = x[:, np.argmin(loss(x, generation))]
    (found,) = loss(best[:, None], 1000)  # noise that the search has not seen
    assert found < before - 0.1


def test_settings_are_made_sure_of():
    assert TASKS["maze"] is Maze
    assert Maze().conditions * Maze().repeats % LANES == 0
    for name, value in (("baffles", 0), ("conditions", 0), ("steps", 0), ("repeats", 0)):
        with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1; got 0"):
            replace(Maze(), **{name: value})
    for name in ("gap", "speed", "radius"):
        with pytest.raises(ValueError, match=f"{name} must be a positive number; got -1"):
            replace(Maze(), **{name: -1})
    with pytest.raises(ValueError, match=r"gap must be below 1; got 1\.0"):
        Maze(gap=1.0)


def along(task, velocities):
    """Path (T + 1, 2, C) of agents from the starts that move by velocities(states) (2, C)."""
    path = [task.starts]
    for t in range(task.steps):
        path.append(agents.moved(task.world, t, path[-1], velocities(path[-1])))
    return np.array(path)


@pytest.mark.parametrize("contact", ["slide", "stop"])
@pytest.mark.parametrize("baffles", [1, 2, 5])
def test_the_expert_takes_the_shortest_way_at_full_speed(baffles, contact):
    task = Maze(baffles=baffles, contact=contact, steps=300)
    path = along(task, task.expert)
    assert np.all(task.succeeded(path))
    least = (np.array([way(task, start) for start in task.starts.T]) - task.radius) / task.speed
    late = task.times(path) - least
    assert np.all((late >= 0.0) & (late <= 2 * baffles + 1))  # a turn is overshot by less than a step, there and back
    speed = np.linalg.norm(task.expert(everywhere()), axis=0)
    far = np.linalg.norm(everywhere() - task.goal[:, None], axis=0) > task.radius
    np.testing.assert_allclose(speed[far], 1.0, rtol=1e-14)
    straight = along(task, lambda p: (task.goal[:, None] - p) / 0.01)
    assert not task.succeeded(straight).any()
    assert np.all(np.isinf(task.times(straight)))


@given(st.tuples(AXIS, AXIS), st.tuples(COMPONENT, COMPONENT))
@example((0.32, 0.2), (1.0, 0.5))
@example((0.01, 0.2), (-1.0, 0.5))
def test_an_agent_that_stops_at_walls_does_the_whole_step_or_none(point, z):
    task, stopping = Maze(), Maze(contact="stop")
    (slid, stopped) = (moved(one, lanes(point), lanes(z))[0][:, 0] for one in (task, stopping))
    free = np.array(point) + task.speed * np.array(z) / max(np.linalg.norm(z), 1.0)
    met = np.max(np.abs(slid - free))  # a wall moves what it meets by more than rounding, or by hardly anything
    assert np.array_equal(stopped, point) or np.array_equal(stopped, slid)
    if met > 1e-12:
        np.testing.assert_array_equal(stopped, point)
    elif np.all((free > 1e-12) & (free < 1.0 - 1e-12)):
        np.testing.assert_array_equal(stopped, slid)


def test_without_a_compass_the_rest_is_the_same():
    task, state = Maze(compass=False), everywhere()
    u = np.full((RAYS, LANES), nan)
    sense(state, u, task.world[2])
    np.testing.assert_array_equal(u, sensed(Maze(), state)[:RAYS])
    assert (task.inputs, Maze().inputs, task.layout(3).shapes["W_in"]) == (8, 10, (3, 8))
    net = task.layout(4).network(task.guess(task.layout(4), np.random.default_rng(0)), RELU, 0.2)
    assert np.all(np.isfinite(task.paths(net, Noise(inside=1.0), 4, seed_words(0))[1]))


def test_the_cost_of_the_velocity_is_its_squared_error():
    z = np.random.default_rng(2).standard_normal((2, LANES))
    task, state = Maze(cost="velocity", steps=50), everywhere(seed=1)
    after_way, _ = moved(Maze(), state, z)
    after_velocity, cost = moved(task, state, z)
    np.testing.assert_array_equal(after_velocity, after_way)
    np.testing.assert_allclose(cost, np.sum((z - task.expert(state)) ** 2, axis=0) / 50, rtol=1e-13)


def test_times_are_the_first_steps_within_the_goal():
    task = Maze(steps=6)
    path = np.repeat(task.starts[None], 7, axis=0)
    path[3:5, :, 1] = path[6, :, 2] = task.goal
    np.testing.assert_array_equal(task.times(path), [inf, 3.0, 6.0, inf])
    net = CTRNN(np.zeros((1, 1)), [0.0], "relu", 0.2, W_in=np.zeros((1, 10)), W_out=np.zeros((2, 1)), b_out=[0.0, 0.0])
    found = task.trials(net, Noise(), 2, seed_words(0))
    assert np.all(np.isinf(found.times))
    assert found.times.shape == found.success.shape == (2, 4)


def test_the_points_of_the_latent_system_are_what_the_expert_does():
    task = Maze()
    latent = task.latent(np.random.default_rng(0), 0.2)
    assert latent.x.shape == (len(latent.u), 0)
    np.testing.assert_allclose(np.linalg.norm(latent.y, axis=1).max(), 1.0)
    gap = np.random.default_rng(0).uniform(0.0, 1.0, (2, len(latent.u)))
    np.testing.assert_array_equal(latent.y, task.expert(gap).T)
    starts = task.begun(np.random.default_rng(0), 100)
    assert np.all(starts[0] == task.starts[0, 0])
    assert starts[1].min() < 0.1 < 0.5 < starts[1].max()


def test_words_and_truth_values_are_made_sure_of():
    with pytest.raises(ValueError, match="contact must be one of slide, stop; got 'bounce'"):
        Maze(contact="bounce")
    with pytest.raises(ValueError, match="cost must be one of way, velocity; got 'time'"):
        Maze(cost="time")
    with pytest.raises(ValueError, match="compass must be True or False; got 1"):
        Maze(compass=1)
