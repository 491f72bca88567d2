#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Exported files: what may stand in them, and that nothing else ever does.

Each format is read back here with a small parser of its own. The programs that
the files are for read them in test/daemon/test_export.py.

"""

import ipaddress
import json
import re
import unittest

import inputs
from inputs import hypothesis, needs_hypothesis, st

from ganeti.confd.command import argtypes
from ganeti.confd.export import ansible
from ganeti.confd.export import dnsmasq
from ganeti.confd.export import hostgroups
from ganeti.confd.export import hostlist
from ganeti.confd.export import hosts
from ganeti.confd.export import nftables
from ganeti.confd.export import prometheus_sd
from ganeti.confd.export import sanitize
from ganeti.confd.export import ssh_config
from ganeti.confd.schema import columns



_SETTINGS = inputs.Settings(150)


def _Row(kind, **values):
  """Makes a row with all fields that are asked for.

  @param values: by field, with an underscore in place of a dot or slash

  """
  return [values.get(re.sub("[./]", "_", field))
          for field in hostlist.ALL_FIELDS[kind]]


def _Instance(name, nics=(), **values):
  """Makes the row of an instance.

  @param nics: of each its address and its MAC address

  """
  return _Row(columns.INSTANCE, name=name, nic_ips=[i[0] for i in nics],
              nic_macs=[i[1] for i in nics], nic_links=[None] * len(nics),
              nic_networks_names=[None] * len(nics), **values)


def _Source(*rows, kind=columns.INSTANCE, **kwargs):
  """Makes the source of an export.

  @return: the source, and what was said

  """
  said = []
  hosts = hostlist.Hosts(kind, hostlist.ALL_FIELDS[kind], rows, said.append)
  source = hostlist.Contents("cluster.example.com", kind, hosts, **kwargs)
  return (source, said)


class TestWords(unittest.TestCase):
  def testHostNames(self):
    for (text, expected) in [
      ("web1.example.com", "web1.example.com"),
      ("Web1.Example.COM", "web1.example.com"),
      ("web_1", "web_1"),
      ("0a.b-c", "0a.b-c"),
      ("a" * 63, "a" * 63),
      ("xn--bcher-kva.example", "xn--bcher-kva.example"),
      (".".join(["a" * 49] * 5), ".".join(["a" * 49] * 5)),
      ]:
      self.assertEqual(sanitize.HostName(text), expected)
    for text in [
        "", ".", "a.", ".a", "a..b", "a" * 64, ".".join(["a" * 50] * 5),
        "-a", "a-", "_a", "a b", "a\n", "a\nb", "\na", "a\r", "a\t", "a\0b",
        "a\x7f", "a\x1b[31m", "a,b", "a;b", "a#b", "a\"b", "a'b", "a\\b", "a/b",
        "*", "a*", "?", "!a", "a:b", "a=b", "{{a}}", "$(a)", "`a`", "%h", "\\",
        "b\u00fccher", "\u212a.example", "a\u0130", "\u0663", "\ud800",
        "a\u2028b", "192.0.2.1", "1.2", "12", "a.0x1f", "0x", "a.0x",
        "localhost", "a.LocalHost", None, 5, ["a"], {"a": "b"}, True, 1.5]:
      with self.subTest(text=text):
        self.assertIsNone(sanitize.HostName(text), text)

  def testAddresses(self):
    for (text, expected) in [
      ("192.0.2.1", "192.0.2.1"),
      ("2001:DB8:0::1", "2001:db8::1"),
      ("10.0.0.1", "10.0.0.1"),
      ]:
      self.assertEqual(sanitize.Address(text), expected)
    for text in [
        "", "0.0.0.0", "::", "127.0.0.1", "127.1.2.3", "::1", "224.0.0.1",
        "ff02::1", "255.255.255.255", "::ffff:127.0.0.1", "fe80::1%eth0",
        "fe80::1%a\nb", "192.0.2.1\n", " 192.0.2.1", "192.0.2.1/24",
        "192.0.2", "1", "a", "192.0.2.1, 192.0.2.2", "\u0661.2.3.4",
        1, None, True, ["192.0.2.1"]]:
      with self.subTest(text=text):
        self.assertIsNone(sanitize.Address(text), text)

  def testMacs(self):
    self.assertEqual(sanitize.Mac("AA:00:00:1f:00:01"), "aa:00:00:1f:00:01")
    for text in ["", "aa:00:00:1f:00", "aa:00:00:1f:00:01:02",
                 "aa-00-00-1f-00-01", "aa:00:00:1f:00:0g", "*:00:00:1f:00:01",
                 "aa:00:00:1f:00:01\n", "aa:00:00:1f:00:01,ignore",
                 "aa:00:00:1f:00:\uff11\uff11", "auto", None, 5]:
      with self.subTest(text=text):
        self.assertIsNone(sanitize.Mac(text), text)

  def testWords(self):
    for text in ["service:web", "debootstrap+default", "a.b*c/d@e-f_g", "x" *
                 128, "gr\u00fcn"]:
      self.assertEqual(sanitize.Word(text), text)
    for text in ["", "a b", "a,b", "a\nb", "{{ a }}", "{% a %}", "a\"b", "a'b",
                 "a\\b", "$a", "x" * 129, "\ud800", "a\0", "a;b", "a|b", None,
                 5, ["a"]]:
      with self.subTest(text=text):
        self.assertIsNone(sanitize.Word(text), text)
        # A link may be empty
        self.assertEqual(sanitize.Link(text), "" if text == "" else None, text)

  def testShow(self):
    for (value, expected) in [
      ("a\n\"\u00fc\x7f\x1b", '"a\\n\\"\\u00fc\\u007f\\u001b"'),
      ("x" * 100, '"' + "x" * 59 + "..."),
      (["a", None], '["a", null]'),
      ]:
      self.assertEqual(sanitize.Show(value), expected)


class TestIdentifiers(unittest.TestCase):
  def testPlain(self):
    self.assertEqual(sanitize.Identifiers(["a", "service:web", "1"]),
                     {"a": "a", "service:web": "service_web", "1": "1"})

  def testCollisions(self):
    """All that would be the same differ, and none is another one's.

    """
    names = sanitize.Identifiers(["a:b", "a-b", "c"])
    self.assertEqual(names["c"], "c")
    for word in ["a:b", "a-b"]:
      self.assertRegex(names[word], "^a_b_[0-9a-f]{8}$")
    self.assertEqual(len(set(names.values())), 3)
    # A name may equal the identifier of another name
    more = sanitize.Identifiers(["a:b", "a-b", names["a:b"]])
    self.assertEqual(len(set(more.values())), 3)
    self.assertNotEqual(more["a:b"], names["a:b"])
    self.assertNotIn(names["a:b"], more.values())

  def testLong(self):
    names = sanitize.Identifiers(["a" * 120 + "b", "a" * 120 + "c"])
    self.assertEqual(len(set(names.values())), 2)
    self.assertLess(max(map(len, names.values())), 200)


class TestEntries(unittest.TestCase):
  def testSaid(self):
    (source, said) = _Source(
      _Instance("a\nb"),
      _Instance("web1", [("192.0.2.1\nx", "aa:00:00:00:00:01"),
                         ("192.0.2.2", "auto")],
                tags=["good", "bad one"], os="a{{b}}", pnode="no de"),
      _Instance("WEB1", [("192.0.2.3", None)]))
    self.assertEqual(said, [
      'instance "a\\nb" left out: not a valid host name',
      'instance "web1": address "192.0.2.1\\nx" left out',
      'instance "web1": MAC address "auto" left out',
      'instance "web1": tag "bad one" left out',
      'instance "web1": node "no de" left out',
      'instance "web1": operating system "a{{b}}" left out',
      'instance "WEB1" left out: another instance has this name',
      ], sorted(said, key=said.index))
    (host, ) = source.hosts
    self.assertEqual((host.name, host.addresses, host.tags, host.os, host.node),
                     ("web1", ["192.0.2.2"], ["good"], None, None))

  def testNothingIsMissed(self):
    """A missing value of an object is no reason for a message.

    """
    (source, said) = _Source(_Instance("web1", [(None, None)]))
    self.assertEqual(said, [])
    self.assertEqual(source.hosts[0].addresses, [])
    self.assertEqual(hostlist.WithAddress(source, said.append), [])
    self.assertEqual(said, ["1 instance without an address left out"])

  def testFields(self):
    """Values that a format does not use are not looked at.

    """
    said = []
    (host, ) = hostlist.Hosts(columns.INSTANCE, hosts.FIELDS[columns.INSTANCE],
                              [["web1", ["192.0.2.1", "192.0.2.2"]]],
                              said.append)
    self.assertEqual((host.name, host.addresses, host.tags, said),
                     ("web1", ["192.0.2.1", "192.0.2.2"], [], []))

  def testNodes(self):
    row = _Row(columns.NODE, name="node1", pip="192.0.2.1", sip="198.51.100.1",
               role="M", group="default", tags=[], ndparams={"ssh_port": 2222})
    (source, said) = _Source(row, kind=columns.NODE)
    self.assertEqual(said, [])
    (host, ) = source.hosts
    self.assertEqual((host.address, host.state, host.secondary_ip,
                      host.ssh_port),
                     ("192.0.2.1", "master", "198.51.100.1", 2222))
    for params in [{}, None]:
      (source, said) = _Source(_Row(columns.NODE, name="n", ndparams=params),
                               kind=columns.NODE)
      self.assertEqual((source.hosts[0].ssh_port, said), (22, []))
    for port in [0, 65536, "22\nx", -1, True, 1.5, None]:
      (source, said) = _Source(
        _Row(columns.NODE, name="n", ndparams={"ssh_port": port}),
        kind=columns.NODE)
      self.assertEqual(source.hosts[0].ssh_port, 22)
      self.assertEqual(len(said), 1, port)


# Small parsers: of text to what it says, and nothing is ignored but comments

def _ReadHosts(text):
  result = []
  for line in text.splitlines():
    (address, name) = re.fullmatch(r"(\S+)\t(\S+)", line).groups()
    result.append((name, address))
  return result


def _ReadDnsmasq(text):
  """Returns the (MAC address, rest) of dhcp-host, and the pairs of host-record.

  """
  (reserved, records) = ([], [])
  for line in text.splitlines():
    (word, _, value) = line.partition("=")
    if word == "dhcp-host":
      (mac, *rest) = value.split(",")
      reserved.append((mac, rest))
    else:
      assert word == "host-record", line
      (name, address) = value.split(",")
      records.append((name, address))
  return (reserved, records)


def _ReadSshConfig(text):
  result = []
  for line in text.splitlines():
    if not line.startswith("  "):
      (name, ) = re.fullmatch(r"Host (\S+)", line).groups()
      result.append((name, {}))
      continue
    (word, value) = re.fullmatch(r"  (\S+) (\S+)", line).groups()
    result[-1][1][word] = value
  return result


def _ReadNftables(text):
  """Returns the sets as they are in the end.

  """
  lines = text.splitlines()
  sets = {}
  current = ""
  filling = False
  for line in lines:
    if re.fullmatch(r"table inet \w+ {|}|\t}", line):
      continue
    if line == "\t\telements = {":
      filling = True
    elif line == "\t\t}":
      filling = False
    elif filling:
      (address, ) = re.fullmatch(r"\t\t\t([0-9a-f.:]+),", line).groups()
      assert (":" in address) == current.endswith("_v6")
      sets[current].append(address)
    elif line.startswith("flush"):
      (name, ) = re.fullmatch(r"flush set inet \w+ (\w+)", line).groups()
      sets[name] = []
    elif line.startswith("\t\ttype"):
      assert line == "\t\ttype ipv%s_addr" % current[-1], line
    else:
      (current, ) = re.fullmatch(r"\tset (\w+) {", line).groups()
      sets.setdefault(current, [])
  return sets


class TestFormats(unittest.TestCase):
  def testEachHasAModule(self):
    for (name, module) in [
      ("ansible", ansible), ("dnsmasq", dnsmasq), ("hosts", hosts),
      ("nftables", nftables), ("prometheus-sd", prometheus_sd),
      ("ssh-config", ssh_config)]:
      with self.subTest(name=name, module=module):
        self.assertIn(name, argtypes.FORMATS)
        self.assertEqual(module.__name__, "ganeti.confd.export." +
                         argtypes.ExportModule(name))
        for (kind, fields) in hostlist.ALL_FIELDS.items():
          self.assertLessEqual(set(module.FIELDS[kind]), set(fields))
          self.assertEqual(module.FIELDS[kind][0], "name")
    self.assertEqual(len(argtypes.FORMATS), 6)

  def _Format(self, module, *rows, **kwargs):
    (source, said) = _Source(*rows, **kwargs)
    text = module.Format(source, said.append)
    return (text, said)

  def testOrder(self):
    """The order of rows is of no concern.

    """
    rows = [_Instance("web%d" % i, [("192.0.2.%d" % i, "aa:00:00:00:00:0%d" %
                                     i)], tags=["b", "a"]) for i in range(1, 9)]
    for name in argtypes.FORMATS:
      module = {"ansible": ansible, "dnsmasq": dnsmasq, "hosts": hosts,
                "nftables": nftables, "prometheus-sd": prometheus_sd,
                "ssh-config": ssh_config}[name]
      self.assertEqual(self._Format(module, *rows),
                       self._Format(module, *rows[::-1]))

  def testDnsmasq(self):
    (text, said) = self._Format(
      dnsmasq,
      _Instance("a1", [("192.0.2.1", "aa:00:00:00:00:01"),
                       ("2001:db8::1", "aa:00:00:00:00:02"),
                       (None, "aa:00:00:00:00:03")]),
      _Instance("b1", [(None, "aa:00:00:00:00:04")]),
      _Instance("c1", [("192.0.2.1", "aa:00:00:00:00:05")]),
      _Instance("1h", [("192.0.2.3", "aa:00:00:00:00:06")]),
      _Instance("ignore", [(None, "aa:00:00:00:00:07")]))
    (reserved, records) = _ReadDnsmasq(text)
    self.assertEqual(reserved, [
      ("aa:00:00:00:00:06", ["192.0.2.3"]),
      ("aa:00:00:00:00:01", ["192.0.2.1", "a1"]),
      ("aa:00:00:00:00:02", ["[2001:db8::1]"]),
      ("aa:00:00:00:00:04", ["b1"]),
      ("aa:00:00:00:00:05", ["c1"]),
      ])
    self.assertEqual(records, [("1h", "192.0.2.3"), ("a1", "192.0.2.1"),
                               ("a1", "2001:db8::1"), ("c1", "192.0.2.1")])
    self.assertEqual(said, [
      '"1h": the name left out of dhcp-host, where dnsmasq has another meaning'
      ' for it',
      '"c1": address 192.0.2.1 left out of dhcp-host, as another interface has'
      ' it already',
      '"ignore": the name left out of dhcp-host, where dnsmasq has another'
      ' meaning for it',
      '2 instances without an address left out'])

  def testAnsible(self):
    (text, said) = self._Format(
      ansible, _Instance("web1", [("192.0.2.1", None)], tags=["a:b", "a-b"]),
      _Instance("all"), _Instance("ungrouped"), _Instance("ganeti_tag_x"))
    inventory = json.loads(text)
    self.assertEqual(len([name for name in inventory
                          if name.startswith("ganeti_tag_a_b_")]), 2)
    self.assertEqual(list(inventory["_meta"]["hostvars"]), ["web1"])
    self.assertEqual(inventory["ganeti_instances"], {"hosts": ["web1"]})
    self.assertEqual(len(said), 5)

  def testKeyedGroups(self):
    """A tag KEY:VALUE makes a group, as Ansible's "constructed" does.

    """
    (text, said) = self._Format(
      ansible, _Instance("web1", tags=["service:web", "rack:a/1", "plain",
                                       "a:b", "a:b:", "a:"]),
      _Instance("web2", tags=["service:web", "a:b-"]),
      _Instance("env_test", tags=["env:test", "1:2", ":x", "ganeti:os_x",
                                  "Nodes:rack_1"]))
    groups = {name: group["hosts"] for (name, group)
              in json.loads(text).items() if "hosts" in group and
              not name.startswith("ganeti_")}
    hashed = [name for name in groups if name.startswith("a_b__")]
    self.assertEqual([groups.pop(name) for name in sorted(
      hashed, key=lambda name: groups[name])], [["web1"], ["web2"]])
    self.assertEqual(groups, {"service_web": ["web1", "web2"],
                              "rack_a_1": ["web1"], "a_b": ["web1"]})
    self.assertIn("the group env_test of a tag left out: its name has another"
                  " meaning", said)
    for name in ("ganeti_os_x", "Nodes_rack_1"):
      self.assertIn("the group %s of a tag left out: its name has another"
                    " meaning" % name, said)
    # Nodes do not join the groups of instances
    (text, _) = self._Format(ansible, _Row(columns.NODE, name="node1",
                                           tags=["service:web"]),
                             kind=columns.NODE)
    self.assertEqual(json.loads(text)["nodes_service_web"],
                     {"hosts": ["node1"]})
    self.assertNotIn("service_web", json.loads(text))

  def testClusterGroups(self):
    for (kind, prefix) in [(columns.INSTANCE, "ganeti_cluster_"),
                           (columns.NODE, "ganeti_nodes_cluster_")]:
      (source, _) = _Source(_Row(kind, name="a"), _Row(kind, name="b"),
                            kind=kind)
      (first, second) = source.hosts
      text = ansible.Format(source._replace(hosts=[
        first._replace(cluster="fsn.example.com"),
        second._replace(cluster="dus.example.com")]), print)
      groups = json.loads(text)
      self.assertEqual(groups[prefix + "fsn_example_com"], {"hosts": ["a"]})
      self.assertEqual(groups[prefix + "dus_example_com"], {"hosts": ["b"]})
      text = ansible.Format(source._replace(cluster=None), print)
      self.assertNotIn("cluster", text)

  def testNics(self):
    """A network interface has the prefix and the gateway of its network.

    """
    (text, said) = self._Format(ansible, _Row(
      columns.INSTANCE, name="web1", nic_ips=["192.0.2.1", None, "2001:db8::1",
                                              "192.0.2.9"],
      nic_networks_names=["lan", None, "lan6", "bad"],
      nic_networks_subnets=["192.0.2.0/25", None, "2001:db8::/64", "{{x}}/24"],
      nic_networks_gateways=["192.0.2.126", None, None, "localhost"]))
    nics = json.loads(text)["_meta"]["hostvars"]["web1"]["ganeti_nics"]
    self.assertEqual([(i["network"], i["prefix"], i["gateway"]) for i in nics],
                     [("lan", 25, "192.0.2.126"), (None, None, None),
                      ("lan6", 64, None), ("bad", None, None)])
    self.assertEqual(len(said), 2)

  def testPrometheus(self):
    (text, _) = self._Format(
      prometheus_sd, _Instance("web1", [("2001:db8::1", None)]),
      _Instance("web2", tags=["a", "b"]), target_port=9256)
    (first, second) = json.loads(text)
    self.assertEqual(first["targets"], ["[2001:db8::1]:9256"])
    self.assertEqual(second["targets"], ["web2:9256"])
    self.assertEqual(second["labels"]["__meta_ganeti_tags"], ",a,b,")
    # The cluster's own name, as confd-client(1) says
    self.assertEqual(second["labels"]["__meta_ganeti_cluster"],
                     "cluster.example.com")

  def testNftablesKeepsSets(self):
    """A set that was there stays, and is empty then.

    """
    rows = [_Instance("web1", [("192.0.2.1", None)], tags=["a"])]
    (before, _) = self._Format(nftables, *rows)
    self.assertEqual(_ReadNftables(before)["tag_a_v4"], ["192.0.2.1"])
    (after, _) = self._Format(nftables, previous=before, table="filter")
    self.assertEqual(_ReadNftables(after),
                     dict.fromkeys(_ReadNftables(before), []))
    (alone, _) = self._Format(nftables)
    self.assertEqual(_ReadNftables(alone),
                     {"instances_v4": [], "instances_v6": []})
    (other, _) = self._Format(nftables, previous="\tset a b {\n\tset c_v4 {\n"
                              "\tset d;_v4 {\n\tset e_v4 { flush ruleset\n")
    self.assertEqual(set(_ReadNftables(other)),
                     {"instances_v4", "instances_v6", "c_v4", "c_v6"})


# The values tried: of the right form, of the wrong one, and some between

_NASTY = ["\n", "\r", "\0", "\"", "'", " ", "\t", ",", "#", "=", "{{", "}}",
          "{%", "/", "\\", "-", "--", "%", "*", "!", "?", "$(", "`", "\u2028",
          "\u00fc", "\ud800", "\x7f", "", ".", "..", ":", "include", "Host",
          "dhcp-host=", "\nHost *\n  ProxyCommand x", "\ndhcp-script=/x",
          "localhost", "ignore", "1h", "all", "0x1", "x" * 300]


def _Mixed(good):
  """Makes a strategy of good texts, nasty texts, mixtures and other values.

  """
  nasty = st.one_of(st.sampled_from(_NASTY), st.text(max_size=5))
  mixture = st.tuples(nasty, good, nasty, good).map("".join)
  other = st.sampled_from([None, 5, True, 1.5, ["a"], {"a": "b"}])
  return st.one_of(good, good, good, nasty, mixture, other)


def _Rows():
  names = _Mixed(st.from_regex("[a-zA-Z0-9_.-]{1,8}", fullmatch=True))
  addresses = _Mixed(st.one_of(st.ip_addresses().map(str),
                               st.sampled_from(["192.0.2.1", "192.0.2.2"])))
  macs = _Mixed(st.from_regex("[0-9A-Fa-f]{2}(:[0-9a-f]{2}){5}",
                              fullmatch=True))
  texts = _Mixed(st.from_regex("[a-c:+-]{1,3}", fullmatch=True))
  nics = st.lists(st.tuples(addresses, macs, texts, texts), max_size=3)

  def _Make(name, nics, node, group, os_name, tags, state):
    parts = list(zip(*nics)) or [(), (), (), ()]
    return _Row(columns.INSTANCE, name=name, nic_ips=list(parts[0]),
                nic_macs=list(parts[1]), nic_links=list(parts[2]),
                nic_networks_names=list(parts[3]),
                nic_networks_subnets=list(parts[2]),
                nic_networks_gateways=list(parts[0]), pnode=node,
                pnode_group=group, snodes=[node], os=os_name, tags=tags,
                admin_state=state, hypervisor=os_name, be_maxmem=state,
                be_vcpus=5)
  tags = st.one_of(st.lists(texts, max_size=4), st.sampled_from([None, "a", 5]))
  return st.lists(st.builds(_Make, names, nics, names, texts, texts, tags,
                            texts), max_size=5)


@needs_hypothesis
class TestAnything(unittest.TestCase):
  """Files contain only what their formats allow, whatever the table has.

  The rules are written down a second time here, more strictly than in the
  module: for the contents of a file, and not for the values of a table.

  """
  def _CheckName(self, name):
    self.assertLessEqual(len(name), 253)
    for label in name.split("."):
      self.assertRegex(label, r"\A[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9_])?\Z")
    self.assertNotEqual(name.split(".")[-1], "localhost")
    self.assertNotRegex(name, r"(\A|\.)[0-9]+\Z")

  def _CheckAddress(self, text):
    address = ipaddress.ip_address(text)
    self.assertEqual(str(address), text)
    self.assertFalse(address.is_loopback or address.is_unspecified or
                     address.is_multicast)
    self.assertNotIn("%", text)

  @_SETTINGS
  @hypothesis.given(_Rows())
  def test(self, rows):
    (source, said) = _Source(*rows)
    # The names of all exported hosts are valid
    for host in source.hosts:
      self._CheckName(host.name)
    texts = {}
    for module in [ansible, dnsmasq, hosts, nftables, prometheus_sd,
                   ssh_config]:
      text = texts[module] = module.Format(source, said.append)
      self.assertTrue(text.isascii())
      self.assertRegex(text, r"\A[\n\t -~]*\Z")
    for text in said:
      self.assertRegex(text, r"\A[ -~]+\Z")
      self.assertLess(len(text), 500)

    expected = [(host.name, address) for host in source.hosts
                for address in host.addresses]
    self.assertEqual(_ReadHosts(texts[hosts]), expected)
    for (_, address) in expected:
      self._CheckAddress(address)
    (reserved, records) = _ReadDnsmasq(texts[dnsmasq])
    self.assertEqual(records, expected)
    given = []
    for (mac, rest) in reserved:
      self.assertRegex(mac, r"\A[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z")
      self.assertIn(len(rest), (1, 2))
      for text in rest:
        if text in [host.name for host in source.hosts]:
          self.assertNotRegex(text, r"\A([0-9]+[smhdw]?|ignore|infinite)\Z")
        else:
          given.append(text)
          self._CheckAddress(text.strip("[]"))
    self.assertEqual(len(given), len(set(given)))

    self.assertEqual(
      _ReadSshConfig(texts[ssh_config]),
      [(host.name, {"HostName": host.address, "HostKeyAlias": host.name})
       for host in source.hosts if host.addresses])
    sets = _ReadNftables(texts[nftables])
    self.assertEqual(
      sorted(sets["instances_v4"] + sets["instances_v6"]),
      sorted({address for (_, address) in expected}))
    self._CheckGroups(source, texts)

  def _CheckGroups(self, source, texts):
    """Checks that each group has those that have something in common.

    """
    inventory = json.loads(texts[ansible])
    names = set(inventory.pop("_meta")["hostvars"])
    self.assertLessEqual(names, {host.name for host in source.hosts})
    wanted = sorted(
      sorted(host.name for host in source.hosts
             if host.name in names and tag in host.tags)
      for tag in {tag for host in source.hosts if host.name in names
                  for tag in host.tags})
    self.assertEqual(
      sorted(sorted(group["hosts"]) for (name, group) in inventory.items()
             if name.startswith("ganeti_tag_")), wanted)
    for name in inventory:
      self.assertRegex(name, r"\A[A-Za-z_][A-Za-z0-9_]{1,200}\Z")
      self.assertNotIn(name, names)
    for text in [texts[ansible], texts[prometheus_sd]]:
      for mark in ["{{", "{%", "{#"]:
        self.assertNotIn(mark, text)
    for target in json.loads(texts[prometheus_sd]):
      ((address, port), ) = [i.rsplit(":", 1) for i in target["targets"]]
      self.assertEqual(port, "9100")
      if address not in [host.name for host in source.hosts]:
        self._CheckAddress(address.strip("[]"))
      for (name, value) in target["labels"].items():
        self.assertRegex(name, r"\A__meta_ganeti_[a-z]+\Z")
        self.assertTrue(value.isprintable() and " " not in value)

  @_SETTINGS
  @hypothesis.given(st.sets(st.one_of(
    st.from_regex("[a_:-]{1,4}", fullmatch=True),
    st.from_regex("[a-z:]{99,128}", fullmatch=True)), max_size=20))
  def testIdentifiers(self, texts):
    names = sanitize.Identifiers(sorted(texts))
    self.assertEqual(set(names), texts)
    self.assertEqual(len(set(names.values())), len(texts))
    for name in names.values():
      self.assertRegex(name, r"\A[A-Za-z0-9_]{1,170}\Z")


class TestGroups(unittest.TestCase):
  def testNoKindBeginsAnother(self):
    prefixes = [prefix for (everything, kinds) in hostgroups._KINDS.values()
                for prefix in [everything, *kinds]]
    for one in prefixes:
      for other in prefixes:
        if one is not other and one.endswith("_"):
          self.assertFalse(other.startswith(one), (one, other))


if __name__ == "__main__":
  unittest.main()
