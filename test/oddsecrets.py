#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Configurations that hold secrets in forms that Ganeti does not write.

Another program, a person, or a future Ganeti may have written such forms. No
secret may ever be shown, even if other values have to be redacted with it.

"""

import json

from testutils import MakeConfig, MakeDisk, MakeDrbd, MakeInstance, MakeNode
from testutils import Uuid


#: The beginning of every secret; behind that stands which one it is
MARK = "odd-s3cret-"


class Secrets:
  """Makes secrets that all differ.

  @ivar count: the number of secrets so far

  """
  def __init__(self):
    self.count = 0

  def New(self):
    self.count += 1
    return "%s%03d" % (MARK, self.count)

  def Id(self):
    """Returns a well-formed id of a DRBD disk.

    """
    return [Uuid("a", 1), Uuid("a", 2), 11000, 0, 1, self.New()]


def Wrappings(value):
  """Yields JSON values that contain a value, each with a name for its form.

  """
  yield ("a list", [value])
  yield ("an object", {"x": value})
  yield ("a list of lists", [[value]])
  yield ("text", json.dumps(value))
  if isinstance(value, dict):
    yield ("a list of its values", list(value.values()))
    yield ("a list of pairs", [list(item) for item in value.items()])
  if isinstance(value, list):
    yield ("an object of its items",
           {str(index): item for (index, item) in enumerate(value)})
    yield ("the other way round", value[::-1])
    for (index, item) in enumerate(value):
      yield ("without item %d" % index, value[:index] + value[index + 1:])
      yield ("with more before item %d" % index,
             value[:index] + [0] + value[index:])
      yield ("item %d is a list" % index,
             value[:index] + [[item]] + value[index + 1:])


def _Drbd(secrets, index=1, **kwargs):
  return dict(MakeDrbd(index, 1, 2, secret=secrets.New()), **kwargs)


def _Instance(secrets, **kwargs):
  return MakeInstance(1, 1, osparams_private={"password": secrets.New()},
                      **kwargs)


def _Make(secrets, disk=None, instance=None, **kwargs):
  """Makes a configuration, with any values in place of a disk and an instance.

  """
  config = MakeConfig(
    nodes=[MakeNode(1), MakeNode(2)], disks=[MakeDisk(2)],
    instances=[MakeInstance(2, 1, disks=[1])],
    cluster={"osparams_private_cluster": {
      "debootstrap": {"password": secrets.New()}}})
  config["disks"][Uuid("d", 1)] = disk or _Drbd(secrets)
  config["instances"][Uuid("b", 1)] = instance or _Instance(secrets)
  config.update(kwargs)
  return config


def _OddIds(secrets):
  """Yields ids of disks that contain a secret, with names for their forms.

  """
  yield ("secret alone", secrets.New())
  yield ("type of plain disks", [Uuid("a", 1), secrets.New()])
  yield ("ports as texts", [Uuid("a", 1), Uuid("a", 2), "11000", "0", "1",
                            secrets.New()])
  yield ("secret before the numbers", [Uuid("a", 1), Uuid("a", 2),
                                       secrets.New(), 11000, 0, 1])
  yield from Wrappings(secrets.Id())


def _OddDisks(secrets):
  """Yields values in place of a disk, with names for their forms.

  """
  for (name, odd) in _OddIds(secrets):
    for key in ["logical_id", "physical_id"]:
      for kind in ["drbd", "drbd8", None, ["drbd"]]:
        yield ("%s of %s: %s" % (key, kind, name),
               MakeDisk(1, **{"dev_type": kind, key: odd}))
    # Leave out ids of two texts, which are those of plain disks and so hold no
    # secrets
    if name != "type of plain disks" and len(odd) != 2:
      yield ("id of a plain disk: %s" % name, MakeDisk(1, logical_id=odd))
  for (name, odd) in Wrappings(_Drbd(secrets)):
    yield ("disk: %s" % name, odd)
    yield ("child: %s" % name, MakeDisk(1, children=[odd]))
    yield ("child of DRBD: %s" % name, _Drbd(secrets, children=[odd]))
  for (name, odd) in Wrappings([_Drbd(secrets)]):
    yield ("children: %s" % name, MakeDisk(1, children=odd))
  yield ("children are a text", MakeDisk(1, children=secrets.New()))
  yield ("no type", {"logical_id": secrets.Id(), "children": {
    "logical_id": secrets.Id()}})


def _OddInstances(secrets):
  """Yields values in place of an instance, with names for their forms.

  """
  for (name, odd) in Wrappings({"password": secrets.New()}):
    yield ("private parameters: %s" % name,
           MakeInstance(1, 1, osparams_private=odd))
  for (name, odd) in Wrappings(secrets.New()):
    yield ("private parameter: %s" % name,
           MakeInstance(1, 1, osparams_private={"password": odd}))
  yield ("key in a private parameter",
         MakeInstance(1, 1, osparams_private={"x": {secrets.New(): 1}}))
  yield ("by OS", MakeInstance(1, 1, osparams_private={
    "debootstrap": {"password": secrets.New()}}))
  yield ("the cluster's", MakeInstance(1, 1, osparams_private_cluster={
    "debootstrap": {"password": secrets.New()}}))
  for (name, odd) in Wrappings(_Instance(secrets)):
    yield ("instance: %s" % name, odd)
  for (name, odd) in Wrappings(_Drbd(secrets)):
    yield ("disk inside: %s" % name,
           dict(MakeInstance(1, 1), disks=[odd, Uuid("d", 1)]))
  for (name, odd) in Wrappings([_Drbd(secrets)]):
    yield ("disks inside: %s" % name, dict(MakeInstance(1, 1), disks=odd))


def _OddPlaces(secrets):
  """Yields keys and values that may stand in any object.

  """
  yield ("osparams_private", {"password": secrets.New()})
  yield ("osparams_private", [secrets.New()])
  yield ("osparams_private_cluster", {"os": {"password": secrets.New()}})
  yield ("osparams_private_cluster", {"os": [secrets.New()]})
  yield ("logical_id", secrets.Id())
  yield ("physical_id", {"x": secrets.New()})
  yield ("disks", [_Drbd(secrets)])
  yield ("disks", {"x": _Drbd(secrets)})
  yield ("disks", {"x": list(_Drbd(secrets).values())})
  yield ("children", [_Drbd(secrets)])
  yield ("children", {"x": _Drbd(secrets)})
  yield ("instances", {"x": _Instance(secrets)})


def Configs():
  """Yields configurations, with their names.

  """
  secrets = Secrets()
  for (name, odd) in _OddDisks(secrets):
    yield (name, _Make(secrets, disk=odd))
  for (name, odd) in _OddInstances(secrets):
    yield (name, _Make(secrets, instance=odd))
  for (section, items) in [
      ("disks", {Uuid("d", 1): _Drbd(secrets)}),
      ("instances", {Uuid("b", 1): dict(_Instance(secrets),
                                        disks=[_Drbd(secrets)])})]:
    for (name, odd) in Wrappings(items):
      yield ("%s: %s" % (section, name), _Make(secrets, **{section: odd}))
  for (name, odd) in Wrappings({"os": {"password": secrets.New()}}):
    config = _Make(secrets)
    config["cluster"]["osparams_private_cluster"] = odd
    yield ("private parameters of the cluster: %s" % name, config)
  for (key, value) in _OddPlaces(secrets):
    for place in ["", "cluster", "networks", "x"]:
      config = _Make(secrets)
      if not place and key in config:
        continue
      (config.setdefault(place, {}) if place else config)[key] = value
      yield ("%s in %s" % (key, place or "the document"), config)
    for (place, uuid) in [("nodes", Uuid("a", 1)),
                          ("nodegroups", Uuid("c", 1)),
                          ("instances", Uuid("b", 1)),
                          ("disks", Uuid("d", 2))]:
      config = _Make(secrets)
      config[place][uuid][key] = value
      yield ("%s in one of %s" % (key, place), config)


def Together():
  """Yields a few configurations that contain all the forms of L{Configs}.

  """
  secrets = Secrets()
  config = _Make(secrets)
  for (number, (_, odd)) in enumerate(_OddDisks(secrets)):
    config["disks"]["odd-disk-%d" % number] = odd
    # Attach the disk to an instance: the daemon reads some odd disks only if an
    # instance has them
    config["instances"]["odd-owner-%d" % number] = dict(
      MakeInstance(1000 + number, 1), disks=["odd-disk-%d" % number])
  for (number, (_, odd)) in enumerate(_OddInstances(secrets)):
    config["instances"]["odd-instance-%d" % number] = odd
  for (number, (key, value)) in enumerate(_OddPlaces(secrets)):
    config["x%d" % number] = {key: value}
    for (section, kind) in [("nodes", "a"), ("nodegroups", "c")]:
      config[section]["odd-%d" % number] = {
        "uuid": Uuid(kind, 100 + number), "name": "odd%d" % number, key: value}
  yield config
  for section in ["disks", "instances"]:
    for odd in [list(config[section].values()), json.dumps(config[section])]:
      yield dict(config, **{section: odd})
