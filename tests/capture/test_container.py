from __future__ import annotations

from pathlib import Path

from gittrack.capture.container import container

DOCKER_ID = "0123456789abcdef" * 4
MOUNTINFO = f"700 690 254:1 /var/lib/docker/containers/{DOCKER_ID}/hostname /etc/hostname rw - ext4 /dev/vda1 rw\n"


def _write(root: Path, path: str, text: str = "") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


def test_outside_a_container_there_is_nothing(tmp_path: Path) -> None:
    _write(tmp_path, "proc/1/cgroup", "0::/init.scope\n")
    assert container({}, str(tmp_path)) == {}


def test_docker_is_known_by_its_file_and_the_id_by_its_mounts(tmp_path: Path) -> None:
    _write(tmp_path, ".dockerenv")
    _write(tmp_path, "proc/self/mountinfo", MOUNTINFO)
    assert container({"CONTAINER_IMAGE": "trainer:3"}, str(tmp_path)) == {
        "runtime": "docker",
        "image": "trainer:3",
        "id": DOCKER_ID,
    }


def test_podman_says_its_image_without_the_registry_password(tmp_path: Path) -> None:
    _write(tmp_path, "run/.containerenv", 'engine="podman-4.3"\nname="job"\nimage="https://u:hunter2@reg/x:1"\n')
    found = container({}, str(tmp_path))
    assert found == {"runtime": "podman", "image": "https://reg/x:1", "name": "job"}


def test_kubernetes_wins_over_the_runtime_below_it(tmp_path: Path) -> None:
    _write(tmp_path, ".dockerenv")
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "POD_NAME": "train-0"}
    assert container(environ, str(tmp_path)) == {"runtime": "kubernetes", "name": "train-0"}


def test_apptainer_shows_the_image_without_its_folder(tmp_path: Path) -> None:
    environ = {"APPTAINER_CONTAINER": "/home/ann/images/torch.sif"}
    assert container(environ, str(tmp_path)) == {"runtime": "apptainer", "image": "torch.sif"}


def test_a_cgroup_path_of_docker_is_enough(tmp_path: Path) -> None:
    _write(tmp_path, "proc/1/cgroup", "12:cpu:/docker/abc\n")
    assert container({}, str(tmp_path)) == {"runtime": "docker"}


def test_other_runtimes_declare_themselves_in_a_variable(tmp_path: Path) -> None:
    assert container({"container": "systemd-nspawn"}, str(tmp_path)) == {"runtime": "systemd-nspawn"}
    assert container({"container": "not a; runtime"}, str(tmp_path)) == {}
