"""Networks: results do not depend on padding, and parts equal a plain computation."""

import pytest
import torch

from skaudio.nets import (
    GRU,
    POOLINGS,
    TDNN,
    LeNet,
    Standardize,
    StatisticsTDNN,
    TimePooling,
    recording_mean,
)
from skaudio.nets._sequence_layers import MaskedBatchNorm, flip_in_length, time_mask

LENGTHS = [1, 2, 7, 16, 31]
N_FEATURES = 13


def sequences(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(N_FEATURES, n, generator=generator) for n in LENGTHS]


def padded(items, extra=0):
    n_frames = max(item.shape[1] for item in items) + extra
    x = torch.zeros(len(items), N_FEATURES, n_frames)
    for row, item in zip(x, items, strict=True):
        row[:, : item.shape[1]] = item
    return x, torch.tensor([item.shape[1] for item in items])


def whitened(net):
    """Fill the linear map, which is zero in a new network."""
    torch.nn.init.orthogonal_(net.whitening.weight)
    return net


TWO_WIDE = {"kernel_sizes": (5, 3, 1), "dilations": (1, 4, 1)}
NETS = {
    "lenet": lambda: LeNet(N_FEATURES, 4, channels=(4, 8)),
    "lenet, wide kernel": lambda: LeNet(N_FEATURES, 4, channels=(4, 8), kernel_size=7),
    "lenet, attention": lambda: LeNet(N_FEATURES, 4, channels=(4,), pooling="attention"),
    "tdnn": lambda: TDNN(N_FEATURES, 4, channels=(8, 8, 12), **TWO_WIDE),
    "tdnn, statistics": lambda: whitened(StatisticsTDNN(N_FEATURES, 4, channels=(8,) * 4)),
    "tdnn, attention": lambda: TDNN(N_FEATURES, 4, pooling="attention_stats"),
    "gru": lambda: GRU(N_FEATURES, 4, hidden_size=8, bidirectional=False),
    "gru, both ways": lambda: GRU(N_FEATURES, 4, hidden_size=8, n_layers=3),
    "gru, stem": lambda: GRU(N_FEATURES, 4, hidden_size=8, stem=(4, 6)),
    "gru, stem forwards": lambda: GRU(N_FEATURES, 4, stem=(4,), hidden_size=8, bidirectional=False),
    "gru, last": lambda: GRU(N_FEATURES, 4, hidden_size=8, pooling="last"),
}


@pytest.mark.parametrize("name", NETS)
def test_padding_does_not_matter(name):
    torch.manual_seed(0)
    net = NETS[name]().eval()
    items = sequences()
    with torch.inference_mode():
        together = net(*padded(items, extra=9))
        alone = torch.cat([net(*padded([item])) for item in items])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ["lenet", "tdnn", "gru, both ways"])
def test_training_does_not_see_padding(name):
    """Batch statistics and gradients are those of the valid frames alone."""
    gradients = []
    for extra in (0, 11):
        torch.manual_seed(0)
        net = NETS[name]().train()
        for module in net.modules():  # dropout draws per position, padding included
            if isinstance(module, torch.nn.modules.dropout._DropoutNd):
                module.p = 0.0
        net(*padded(sequences(), extra)).square().sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in net.parameters()]))
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-5, rtol=1e-4)


def test_frames_of_the_backward_direction_see_the_future():
    torch.manual_seed(0)
    net = GRU(N_FEATURES, 2, hidden_size=4, n_layers=1).eval()
    x, lengths = padded([sequences()[3]])
    changed = x.clone()
    changed[..., -1] += 1.0
    before, after = (net.forward_frames(v, lengths)[0] for v in (x, changed))
    assert torch.equal(before[:, :4, :-1], after[:, :4, :-1])
    assert not torch.allclose(before[:, 4:, 0], after[:, 4:, 0], atol=1e-7)


@pytest.mark.parametrize("n_features", [1, 2, 5])
def test_a_stem_takes_single_frames_of_few_features(n_features):
    net = GRU(n_features, 3, stem=(4, 6), hidden_size=8).eval()
    x, lengths = torch.randn(2, n_features, 3), torch.tensor([1, 3])
    x[0, :, 1:] = 0.0
    alone = net(x[:1, :, :1], lengths[:1])
    torch.testing.assert_close(net(x, lengths)[:1], alone, atol=1e-6, rtol=1e-5)
    frames, counts = net.forward_frames(x, lengths)
    assert frames.shape == (2, 16, 1)
    assert counts.tolist() == [1, 1]


def test_layers_after_a_stem_add_to_their_input():
    torch.manual_seed(0)
    net = GRU(N_FEATURES, 2, stem=(4,), hidden_size=8, n_layers=1).eval()
    x, lengths = padded(sequences())
    local, counts = net.forward_local(x, lengths)
    # Recurrent layers whose output is zero leave the normalised input.
    for layer in (*net.forwards, *net.backwards):
        for weight in layer.parameters():
            torch.nn.init.zeros_(weight)
    frames, _ = net.forward_frames(x, lengths)
    expected = torch.nn.functional.layer_norm(local, local.shape[-1:]).transpose(1, 2)
    torch.testing.assert_close(frames, expected)
    assert counts.tolist() == [1, 1, 4, 8, 16]


@pytest.mark.parametrize("how", POOLINGS)
def test_pooling_equals_a_loop(how):
    torch.manual_seed(0)
    pooling = TimePooling(N_FEATURES, how)
    items = sequences()
    got = pooling(*padded(items, extra=5))
    for row, item in zip(got, items, strict=True):
        mean, high = item.mean(1), item.amax(1)
        weights = torch.full((item.shape[1],), 1 / item.shape[1])
        if how.startswith("attention"):
            weights = pooling.score(item.T).softmax(0)[:, 0]
            mean = item @ weights
        spread = ((item - mean[:, None]) ** 2 @ weights).clamp(min=1e-10).sqrt()
        choices = {"mean": [mean], "max": [high], "last": [item[:, -1]], "attention": [mean]}
        choices |= {"mean_max": [mean, high]}
        expected = torch.cat(choices.get(how, [mean, spread]))
        torch.testing.assert_close(row, expected)
    assert got.shape[1] == pooling.out_features


@pytest.mark.parametrize("how", ["mean_std", "attention_stats"])
def test_deviations_of_blocks_hold_where_the_mean_is_large(how):
    torch.manual_seed(0)
    pooling = TimePooling(2, how)
    frames, lengths = torch.randn(2, 2, 100) + 1000.0, torch.tensor([100, 30])
    whole = pooling.train()(frames, lengths)
    blocks = pooling.eval()(torch.split(frames, 40, dim=-1), lengths)
    torch.testing.assert_close(blocks, whole, rtol=1e-4, atol=1e-4)
    flat = TimePooling(2, how)(torch.ones(1, 2, 1, requires_grad=True), torch.tensor([1]))
    assert flat.isfinite().all()


def test_unknown_pooling_names_the_choices():
    with pytest.raises(ValueError, match=r"pooling='median'.*mean_max.*attention"):
        TimePooling(3, "median")


def test_flip_reverses_each_sequence_in_its_own_length():
    x = torch.arange(10.0).view(2, 5, 1)
    flipped = flip_in_length(x, torch.tensor([3, 5]))
    assert flipped[..., 0].tolist() == [[2, 1, 0, 3, 4], [9, 8, 7, 6, 5]]


def test_batch_norm_equals_torch_on_whole_sequences():
    x = torch.randn(6, 3, 5, 8)
    ours, theirs = MaskedBatchNorm(3), torch.nn.BatchNorm2d(3)
    mask = torch.ones(6, 1, 1, 8)
    torch.testing.assert_close(ours(x, mask), theirs(x), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    torch.testing.assert_close(ours.eval()(x, mask), theirs.eval()(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("inverse_temperature", [None, 0.0, 1.5])
def test_standardize(inverse_temperature):
    items = sequences()
    mean, std = torch.randn(N_FEATURES), torch.rand(N_FEATURES) + 0.5
    out = Standardize(mean, std, inverse_temperature=inverse_temperature)(*padded(items, extra=3))
    for row, item in zip(out, items, strict=True):
        centred = item
        if inverse_temperature is not None:
            weights = torch.exp(inverse_temperature * item.mean(0))
            centred = item - (item * weights).sum(1, keepdim=True) / weights.sum()
        expected = (centred - mean[:, None]) / std[:, None]
        torch.testing.assert_close(row[:, : item.shape[1]], expected, atol=1e-5, rtol=1e-5)
        assert not row[:, item.shape[1] :].any()


def test_silence_around_a_sound_hardly_moves_its_mean():
    sound = sequences()[3] * 2.0
    silence = torch.full((N_FEATURES, 16), -14.0)
    together = torch.cat([silence, sound], 1)
    means = [
        recording_mean(x[None], torch.ones(1, x.shape[1], dtype=torch.bool), 0.5)[0]
        for x in (sound, together)
    ]
    assert (means[0] - means[1]).abs().max() < 0.05
    assert (sound.mean(1) - together.mean(1)).abs().min() > 5.0


def test_a_constant_feature_is_centred_only():
    standardize = Standardize(torch.ones(1), torch.zeros(1))
    assert standardize(torch.full((1, 1, 2), 3.0), torch.tensor([2])).tolist() == [[[2.0, 2.0]]]


def test_time_mask():
    assert time_mask(torch.tensor([0, 2]), 3).tolist() == [[False] * 3, [True, True, False]]


def test_a_time_delay_network_equals_a_plain_computation():
    """Layers of torch in a row, then mean and deviation, for sequences of one length."""
    torch.manual_seed(0)
    net = TDNN(N_FEATURES, 4, channels=(8, 8, 12), **TWO_WIDE).train()
    x, lengths = torch.randn(6, N_FEATURES, 20), torch.full((6,), 20)
    net(x, lengths)  # batch statistics move
    net.eval()

    def normalised(x, norm):
        shape = (1, -1, *[1] * (x.ndim - 2))
        mean, var = norm.running_mean.view(shape), norm.running_var.view(shape)
        return (x - mean) / (var + norm.eps).sqrt()

    frames = x
    for i, (layer, dilation) in enumerate(zip(net.convolutions, (1, 4, 1), strict=True)):
        side = layer.weight.shape[-1] // 2 * dilation
        frames = torch.conv1d(frames, layer.weight, padding=side, dilation=dilation).relu()
        if i < 2:
            frames = normalised(frames, net.norms[i])
    pooled = torch.cat([frames.mean(-1), frames.std(-1, correction=0)], dim=1)
    expected = net.head[1](normalised(pooled, net.statistics_norm))
    torch.testing.assert_close(net(x, lengths), expected, atol=1e-5, rtol=1e-4)
    assert net.reach == 2 + 4


def test_a_time_delay_network_refuses():
    with pytest.raises(ValueError, match=r"channels=\(8,\), .*expected a number for each layer"):
        TDNN(N_FEATURES, 4, channels=(8,))
    with pytest.raises(ValueError, match=r"kernel_sizes=\(4,\): expected odd numbers"):
        TDNN(N_FEATURES, 4, channels=(8,), kernel_sizes=(4,), dilations=(1,))
