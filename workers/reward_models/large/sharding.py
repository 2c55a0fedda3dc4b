"""A decoder's layers shared out to processes (FSDP2: torch.distributed.fsdp.fully_shard), and tensors of such made whole.

Each layer is a unit: its weights are gathered while it computes and their gradients summed on the way back. What lies
outside of layers, and adapters, each process holds whole. Every process must run the layers equally often.
"""

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor


def shard(layers: Iterable[nn.Module], whole: set[nn.Parameter], device: torch.device) -> None:
    """Share out these layers to all processes, but for the parameters `whole`."""
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    for layer in layers:
        # Said for each: there is no module above them that would, and what stays gathered is not what was trained.
        sharded = fully_shard(layer, mesh=mesh, ignored_params=whole, reshard_after_forward=True)
        # Sums, as the loop has them of everything else; gloo has no other way.
        sharded.set_gradient_divide_factor(1.0)
        sharded.set_force_sum_reduction_for_comms(True)


def whole(tensor: Tensor) -> Tensor:
    """All of it, in every process, all of which must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def like(tensor: Tensor, other: Tensor) -> Tensor:
    """A whole tensor as `other` is: on its device, and this process's part of it if that is what `other` is."""
    moved = tensor.to(other.device)
    if isinstance(other, DTensor):
        return distribute_tensor(moved, other.device_mesh, other.placements)
    return moved


def groups(parameters: list[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Sharded and whole ones apart: no one operation takes both."""
    parts = [isinstance(one, DTensor) for one in parameters]
    found = [
        [one for one, part in zip(parameters, parts, strict=True) if part == kind] for kind in (False, True)
    ]
    return [group for group in found if group]


def clip(parameters: list[nn.Parameter], most: float) -> None:
    """Gradients no longer than `most` in all, as torch.nn.utils.clip_grad_norm_ has it."""
    norms = [
        whole(nn.utils.get_total_norm([one.grad for one in group if one.grad is not None]))
        for group in groups(parameters)
    ]
    total = torch.stack([norm.float() for norm in norms]).norm()
    for group in groups(parameters):
        nn.utils.clip_grads_with_norm_(group, most, total)
