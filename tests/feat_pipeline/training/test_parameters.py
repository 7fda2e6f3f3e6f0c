import pytest
import torch
from torch import nn

from feat_pipeline.training.parameters import count_parameters, decay_groups, moving_average


def net_of(value):
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, value)
    return net


def test_the_average_takes_nine_tenths_of_the_first_step_and_less_and_less_of_later_ones():
    net = net_of(8.0)
    average = moving_average(net, 0.25)
    seen = []
    for value in (4.0, 2.0, 1.0, 5.0):
        nn.init.constant_(net.weight, value)
        average.update_parameters(net)
        seen.append(average.module.weight.item())
    first = 0.1 * 8 + 0.9 * 4
    second = 2 / 11 * first + 9 / 11 * 2
    third = 0.25 * second + 0.75 * 1  # 3 / 12 is the decay from here on
    assert seen == pytest.approx([first, second, third, 0.25 * third + 0.75 * 5])


def test_a_norms_statistics_are_averaged_and_its_count_of_batches_is_not():
    net = nn.BatchNorm1d(3)
    average = moving_average(net, 0.999)
    net.running_mean.fill_(10)
    net.num_batches_tracked.fill_(7)
    average.update_parameters(net)
    assert average.module.running_mean.tolist() == pytest.approx([9, 9, 9])
    assert average.module.num_batches_tracked.item() == 7
    assert not average.module.training and net.training


def test_no_decay_is_no_average():
    net = net_of(8.0)
    average = moving_average(net, 0.0)
    nn.init.constant_(net.weight, 3.0)
    average.update_parameters(net)
    assert torch.equal(average.module.weight, net.weight)


def test_weights_decay_and_biases_and_norms_do_not():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    decayed, rest = decay_groups(net, 0.1)
    assert [p.shape for p in decayed["params"]] == [(4, 1, 3, 3)] and decayed["weight_decay"] == 0.1
    assert [p.shape for p in rest["params"]] == [(4,)] * 3 and rest["weight_decay"] == 0
    assert count_parameters(net) == 36 + 3 * 4
