"""Products by oneDNN: they give what the BLAS gives, whichever of the two is taken."""

import pytest
import torch
from torch import nn

from onsei.nn import products
from onsei.nn.products import Product, quicken_linear

torch.manual_seed(0)
WEIGHT, ROWS = torch.randn(300, 256), torch.randn(7, 300)


@pytest.fixture(params=[False, True])
def faster(request, monkeypatch):
    if request.param and not torch.backends.mkldnn.is_available():
        pytest.skip("torch was built without oneDNN")
    monkeypatch.setattr(products, "onednn_is_faster", lambda: request.param)
    return request.param


def close(found, wanted):
    torch.testing.assert_close(found, wanted, atol=1e-5 * float(wanted.abs().max()), rtol=0)


def test_a_product(faster):
    product, wanted = Product(WEIGHT), ROWS @ WEIGHT
    assert (product._quick is not None) == faster
    close(product(ROWS), wanted)
    out = torch.zeros(7, 2, 256)
    product.add(out[:, 1], ROWS)  # rows that are not beside each other
    product.add(out[:, 1], ROWS)
    close(out[:, 1], 2 * wanted)
    assert not out[:, 0].any()


@pytest.mark.usefixtures("faster")
def test_what_is_small_rare_or_not_float32_stays_as_it_is():
    for product in (Product(WEIGHT[:, :8]), Product(WEIGHT, often=False), Product(WEIGHT.bfloat16())):
        assert product._quick is None
    model = nn.Sequential(nn.Linear(300, 8), nn.Linear(300, 256).bfloat16(), nn.LSTM(300, 256))
    kinds = [type(part) for part in model]
    quicken_linear(model)
    assert [type(part) for part in model] == kinds


def test_linear_layers_of_a_model(faster):
    model = nn.Sequential(nn.Linear(300, 256), nn.GELU(), nn.Sequential(nn.Linear(256, 256, bias=False)))
    with torch.inference_mode():
        wanted = model(ROWS)
        quicken_linear(model)
        assert (type(model[2][0]) is not nn.Linear) == faster
        close(model(ROWS), wanted)
        close(model(ROWS[None])[0], wanted)


@pytest.mark.usefixtures("faster")
def test_a_network_that_computes_with_the_weights_of_its_layers_itself():
    from transformers import WavLMConfig, WavLMModel

    config = WavLMConfig(hidden_size=256, num_hidden_layers=1, num_attention_heads=4, intermediate_size=256)
    model = WavLMModel(config).eval()
    sound = torch.randn(1, 4000)
    with torch.inference_mode():
        wanted = model(sound).last_hidden_state
        quicken_linear(model)
        close(model(sound).last_hidden_state, wanted)


def test_the_measure_answers():
    assert products.onednn_is_faster() in (True, False)
