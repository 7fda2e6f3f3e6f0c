"""Head pose as py-feat's models give it, in OpenFace's angles."""

from __future__ import annotations

from typing import Any

import numpy as np

from feat_pipeline.faces.align import euler_rad

_MIRROR_Y_AND_Z = np.diag([1.0, -1.0, -1.0])
_MESH = 468


def pose_of_angles(pitch: np.ndarray, roll: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """Turn a `Fex`'s pose of Detectorv1 or v2 into OpenFace's angles.

    Parameters
    ----------
    pitch, roll, yaw : ndarray of float, shape (n,)
        Radians: up, tilted to the person's right, turned to the person's right. They are the parts of a
        rotation vector, img2pose's, with the signs of pitch and roll turned about.

    Returns
    -------
    ndarray of float64, shape (n, 3)
        See `feat_pipeline.faces.align.euler_rad`.
    """
    from scipy.spatial.transform import Rotation

    return euler_rad(Rotation.from_rotvec(np.stack([-pitch, yaw, -roll], axis=-1)).as_matrix())


def pose_of_mesh(mesh: np.ndarray) -> np.ndarray:
    """Lay MediaPipe's canonical face over meshes by py-feat's closed form; return OpenFace's angles.

    MPDetector's own pose columns are not used: they name the rotations about y and z the wrong way round, and
    the mesh that they come from has x and y in px of the picture but z in px of the crop.

    Parameters
    ----------
    mesh : ndarray of float, shape (n, 478, 3)
        x, y and z in one unit; y points down, z away from the camera.

    Returns
    -------
    ndarray of float64, shape (n, 3)
        See `feat_pipeline.faces.align.euler_rad`.
    """
    import torch
    from feat.utils.face_pose import estimate_face_pose_from_mesh

    upright: Any = torch.from_numpy(np.asarray(mesh[:, :_MESH] @ _MIRROR_Y_AND_Z, np.float32))
    rotations, _ = estimate_face_pose_from_mesh(upright, return_euler_angles=False)
    return euler_rad(_MIRROR_Y_AND_Z @ rotations.numpy() @ _MIRROR_Y_AND_Z)
