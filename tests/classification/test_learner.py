from collections import Counter
from dataclasses import replace

import pytest
import torch

from onsei.errors import RunError
from onsei.systems.classification.config import Augment, Model, Optimizer, Train
from onsei.systems.classification.data import Batch
from onsei.systems.classification.model import MelClassifier
from onsei.systems.classification.training import Classifying, class_weights
from onsei.training.learner import Clock

LABELS = ("a", "b", "c")


def learner(**changes):
    options = Train(model=Model(channels=(4, 8), strides=(2, 2), dropout=0.0), **changes)
    torch.manual_seed(0)
    return Classifying(MelClassifier(options.model, 8, 3), LABELS, options, class_weights(options, LABELS, COUNTS))


COUNTS = Counter({"a": 1, "b": 3, "c": 6})


def batch(labels=(0, 1, 2, 1), lengths=(20, 20, 11, 5), owners=None):
    features = torch.randn(len(lengths), 8, max(lengths), generator=torch.Generator().manual_seed(1))
    for row, length in zip(features, lengths, strict=True):
        row[:, length:] = 0
    owners = range(len(labels)) if owners is None else owners
    names = tuple(map(str, range(len(labels))))
    return Batch(names, features, torch.tensor(lengths), torch.tensor(list(owners)), torch.tensor(labels))


def loss_of(one, given, seed=0):
    found = {}
    logged = one.step(given, Clock(0, 0, seed), lambda name, loss: found.update({name: loss}))
    assert logged["loss"] == found["model"]
    return found["model"]


def test_the_loss_is_cross_entropy():
    one, given = learner(), batch()
    with torch.no_grad():
        expected = torch.nn.functional.cross_entropy(one.modules["model"](given.features, given.lengths), given.labels)
    torch.testing.assert_close(loss_of(one, given), expected)


def test_smoothing_and_weights_are_torchs():
    one, given = learner(optimization=Optimizer(label_smoothing=0.1, class_weights="balanced")), batch()
    weights = one.weights
    torch.testing.assert_close(weights * torch.tensor([1.0, 3.0, 6.0]), torch.full((3,), float(weights[0])))
    assert float((weights * torch.tensor([0.1, 0.3, 0.6])).sum()) == pytest.approx(1)
    with torch.no_grad():
        logits = one.modules["model"](given.features, given.lengths)
    expected = torch.nn.functional.cross_entropy(
        logits, given.labels, weight=weights, label_smoothing=0.1, reduction="sum"
    )
    torch.testing.assert_close(loss_of(one, given), expected / given.size)


def test_mixup_blends_sounds_and_their_classes_alike():
    one, given = learner(augment=Augment(mixup=0.5)), batch()
    features, lengths, truth = one._mixed(given, Clock(0, 0, 5))
    again = one._mixed(given, Clock(7, 3, 5))
    assert torch.equal(features, again[0])  # of the batch's seed alone
    torch.testing.assert_close(truth.sum(-1), torch.ones(4))
    basis = given.features.flatten(1)
    shares = torch.linalg.lstsq(basis.T, features.flatten(1).T).solution.T  # how much of each sound is in each blend
    whole = torch.nn.functional.one_hot(given.labels, 3).float()
    torch.testing.assert_close(shares @ whole, truth, atol=1e-4, rtol=0)
    assert (lengths >= given.lengths).all()


def test_copies_of_a_sound_are_blended_alike_and_drawn_together():
    given = batch(labels=(0, 1, 2), lengths=(20,) * 6, owners=(0, 0, 1, 1, 2, 2))
    blended = learner(augment=Augment(mixup=0.5), agreement=1.0)._mixed(given, Clock(0, 0, 5))
    assert torch.equal(blended[2][0::2], blended[2][1::2])
    basis = given.features.flatten(1)
    shares = torch.linalg.lstsq(basis.T, blended[0].flatten(1).T).solution.T
    assert float(shares[0::2, 1::2].abs().max()) < 1e-4  # a first copy holds nothing of second ones
    torch.testing.assert_close(shares[0::2, 0::2], shares[1::2, 1::2], atol=1e-4, rtol=0)

    with torch.no_grad():
        scores = learner().modules["model"](given.features, given.lengths).log_softmax(-1)
    first, second = scores[0::2], scores[1::2]
    apart = 0.5 * ((first.exp() - second.exp()) * (first - second)).sum(-1).mean()
    truth = given.labels.repeat_interleave(2)
    plain = torch.nn.functional.nll_loss(scores, truth)
    found = {}
    logged = learner(agreement=2.0).step(given, Clock(0, 0, 0), lambda name, loss: found.update({name: loss}))
    torch.testing.assert_close(logged["loss"], plain)
    torch.testing.assert_close(logged["disagree"], apart)
    torch.testing.assert_close(found["model"].detach(), plain + 2 * apart)


def test_a_check_votes_over_the_pieces_of_a_sound():
    one = learner()
    one.modules["model"].eval()
    given = batch(labels=(0, 1), lengths=(20, 20, 11, 5), owners=(0, 0, 0, 1))
    with torch.no_grad():
        found = one.check(given, Clock(0, 0, 0))
        chances = one.modules["model"](given.features, given.lengths).softmax(-1)
    mean = torch.stack([chances[:3].mean(0), chances[3]])
    torch.testing.assert_close(found["loss"][0], -(mean[0, 0].log() + mean[1, 1].log()))
    right = float((mean.argmax(-1) == given.labels).sum())
    assert found["accuracy"].tolist() == [100 * right, 2.0]
    assert found["error"].tolist() == [200 - 100 * right, 2.0]


def test_norms_and_biases_have_no_weight_decay():
    for group in learner().optimizers["model"].param_groups:
        assert {p.ndim > 1 for p in group["params"]} == {group["weight_decay"] > 0}


def test_a_checkpoint_of_other_classes_is_refused():
    one = learner()
    one.load_state_dict(one.state_dict())
    with pytest.raises(RunError, match="trained on"):
        one.load_state_dict({"labels": ["a", "c", "b"]})
    assert one.label_rows == {"model.classifier.weight", "model.classifier.bias"}


def test_an_absent_class_does_not_break_the_weights():
    options = replace(Train(), optimization=Optimizer(class_weights="balanced"))
    weights = class_weights(options, LABELS, Counter({"a": 2, "b": 2}))
    assert weights.tolist() == [1.0, 1.0, 0.0]
