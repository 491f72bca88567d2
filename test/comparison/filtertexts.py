#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""Makes texts for filters, most of which are valid.

"""

from ganeti.confd.schema import columns

_TEXT_FIELDS = ["name", "pnode", "pnode.group", "os", "hypervisor",
                "admin_state", "disk_template", "uuid", "nic.ip/0",
                "nic.mode/0", "nic.link/1", "nic.network.name/0",
                "hv/kernel_path", "hv/vnc_bind_address", "disk.name/0"]
_NUMBER_FIELDS = ["be/vcpus", "be/maxmem", "nic.count", "disk.count",
                  "disk.size/0", "disk_usage", "network_port", "serial_no",
                  "ctime", "mtime"]
_BOOL_FIELDS = ["admin_up", "disks_active", "forthcoming", "be/auto_balance",
                "hv/acpi"]
_LIST_FIELDS = ["tags", "snodes", "disk.sizes", "nic.ips", "nic.links",
                "disk.names"]
_NODE_FIELDS = {
  "text": ["name", "role", "group", "pip", "sip", "ndp/oob_program"],
  "number": ["pinst_cnt", "sinst_cnt", "ndp/spindle_count", "ndp/ssh_port",
             "serial_no"],
  "bool": ["master_candidate", "offline", "drained", "powered", "vm_capable",
           "ndp/ovs"],
  "list": ["tags", "pinst_list", "sinst_list"],
  }

#: Fields, by kind of object and then by type of value
_FIELDS = {
  columns.INSTANCE: {"text": _TEXT_FIELDS, "number": _NUMBER_FIELDS,
                     "bool": _BOOL_FIELDS, "list": _LIST_FIELDS},
  columns.NODE: _NODE_FIELDS,
  }

KINDS = list(_FIELDS)

_COMPARISONS = ["==", "=", "!=", "<", "<=", ">", ">="]

_REGEXPS = ["web", "^mirror", "1", "[0-9]+", "^(web|nets)", r"\.example\.com$",
            r"e\\.", r"\d", "", ".", "^$", "a|b", "WEB", r"mirror\d\.", "x{2}",
            "(?i)WEB", "[", "(", "*", "a/b", r"a\/b"]

_GLOBS = ["*", "web", "web*", "w?b", "*.example", "node1*", "mirror?", "**",
          "*.*", "?", "", "n*e*", "web.example.c*", "[w]eb", "w.b", "node1.",
          "*e.com"]

#: Filters for instances that random generation would hardly produce
_INSTANCE_EXAMPLES = r'''
name =~ m//
name !~ //s
name =~ m##i or admin_up
name == "web"
name == "nested" or name == "web.example.com" or name == "nested.example.com"
name == "web" and admin_up
(name == "web")
not (name == "web") and name =* "w*"
name == "web" or pnode == "node6"
name == "mirror1" and admin_up
name == "WEB" and admin_up
name != "web"
name < "b"
name =* "web"
name =* "web*"
name =* "web.*"
name =* "*"
name =* "w?b"
name =* "w.b"
name =* "*.example"
name !* "crowd*"
name =~ m/web/
name =~ m/^WEB/i
name =~ m#^web$#
name =~ m|web|si
name =~ m^web^is
name =~ /web/
name=~/xen/i
name =~ m/web\.example/
name =~ m/mirror\d\./
name =~ m/mirror1\\d/
name =~ m/mirror[0-9]\./
name =~ m/^(web|xen).*$/
(name !~ m/crowd/) and not admin_up
nic.ip/1 != "10.9"
nic.ip/1 !~ m/x/
nic.ip/1 !* "x"
uuid =~ m/^b/
pnode == "node6"
pnode == "node"
pnode == "node6.example.com"
pnode != "node6" and name =* "n*"
pnode < "node6" and name =* "n*"
pnode <= "node6" and name =* "n*"
pnode =* "node1*"
pnode.group == "rack1"
pnode.group == "rack"
nic.ip/1 == "10.9"
not nic.ip/1 == "10.9"
nic.ip/1 != "10.9" and name == "web"
nic.count > 1
be/vcpus == 4
be/vcpus=2
be/vcpus = 2
be/vcpus > 1
be/vcpus != 1
be/vcpus >= +2
be/vcpus > -1
be/vcpus == 99999999999999999999999
"a" in tags
'a' not in tags and name =* "n*"
"a" notin tags and name =* "n*"
"a" intags
"zz top" in tags
"node3.example.com" in snodes
"node3" in snodes
1536 in disk.sizes
1 in disk.sizes
disk.size/0 == 1536
disk_template == "mixed"
not admin_up
not not admin_up and name =* "w*"
not (admin_up or name == "web")
not(admin_up) and name =* "n*"
admin_up and not name =~ m/crowd/
admin_state == "down" or admin_state == "offline"
be/vcpus == 1 or be/vcpus == 4 and admin_up
(be/vcpus == 2 or be/vcpus == 4) and not admin_up
hv/acpi
not hv/acpi
hv/vga == "" and name =* "n*"
hv/kernel_path =* "/os*"
hv/kernel_path =~ m#/os#
network_port > 11000 and name =* "n*"
ctime == 0
ctime > 5 and name =* "x*"
mtime == 1234567890
mtime > 1234567890
serial_no >= 12
os == "debootstrap"
os =* "debootstrap*"
forthcoming
name=="web"and admin_up
'''.strip().split("\n")

#: Texts that are not valid filters, or filters that cannot be applied
_WRONG_EXAMPLES = r'''
name == "nosuch"
name == "mirror1"
name
be/vcpus
tags
be/vcpus == "4"
be/vcpus > "a"
be/vcpus =~ m/1/
be/vcpus =* "1"
tags == "a"
tags =~ m/a/
"a" in name
"1536" in disk.sizes
"vcpus" in beparams
nosuch == 1
hv/acpi == "x"
hv/acpi == 1
be/vcpus == 2.5
name == web
name ==
== "web"
(name == "web"
name == "web")
NOT admin_up
admin_up AND admin_up
1 == be/vcpus
disk.count in disk.sizes
name =~ m/(/
name =~ m|web|x
name =~ "web"
name == "a" == "b"
in in in
not == "x"
and
'''.strip().split("\n")

_NODE_EXAMPLES = r'''
role == "C"
not master_candidate
pinst_cnt != 0
name == "node1" or group == "rack1"
name == "node3" or name == "node10"
name == "node3" and not offline
"a" in tags
powered
not powered
ndp/spindle_count == 3
group =* "rack*"
"mirror2.example.com" in pinst_list
'''.strip().split("\n")

EXAMPLES = {
  columns.INSTANCE: _INSTANCE_EXAMPLES + _WRONG_EXAMPLES,
  columns.NODE: _NODE_EXAMPLES,
  }

#: Pieces with which texts are mutilated
_SCRAPS = ["", " ", "(", ")", "\"", "'", "\\", "and", "or", "not", "in", "=",
           "!", "~", "*", "/", "1", "-", "a", ".", "m/", "\t", "\u00fc", "=="]


class Texts:
  """Makes filters from the values in a table.

  """
  def __init__(self, rng, kind, values):
    """@type rng: C{random.Random}
    @param kind: one of L{KINDS}
    @param values: the values of each field, by the field's name

    """
    self._rng = rng
    self._fields = _FIELDS[kind]
    self._values = values

  @staticmethod
  def FieldsOf(kind):
    """Lists the fields whose values are needed.

    """
    return [name for names in _FIELDS[kind].values() for name in names]

  def Make(self):
    """Makes a filter; one in six is mutilated.

    """
    text = self._Condition(self._rng.choice([0, 0, 1, 1, 2, 3]))
    if self._rng.random() < 1 / 6:
      for _ in range(self._rng.randrange(1, 3)):
        start = self._rng.randrange(len(text) + 1)
        end = start + self._rng.randrange(3)
        text = text[:start] + self._rng.choice(_SCRAPS) + text[end:]
    return text

  def _Condition(self, depth):
    """Makes conditions, nested up to a depth.

    """
    rng = self._rng
    if depth == 0:
      return self._Simple()
    choice = rng.randrange(4)
    if choice == 0:
      return rng.choice(["not %s", "not (%s)", "not(%s)", "not not %s"]) % \
        self._Condition(depth - 1)
    if choice == 1:
      return rng.choice(["(%s)", "( %s )", "((%s))"]) % self._Condition(
        depth - 1)
    word = rng.choice([" and ", " or ", "  and\t", ")and("])
    parts = [self._Condition(rng.randrange(depth))
             for _ in range(rng.randrange(2, 4))]
    text = word.join(parts)
    return "(%s)" % text if ")" in word else text

  def _Quote(self, text):
    """Quotes a text, with or without escapes.

    """
    quote = self._rng.choice("\"\"\"'")
    if self._rng.random() < 0.05:
      text = text.replace(".", "\\.")
    return quote + text + quote

  def _Value(self, field, wrong=False):
    """Writes a value that a field may have.

    @param wrong: whether the value may be of another type

    """
    rng = self._rng
    if wrong and rng.random() < 0.06:
      field = rng.choice(sorted(self._values))
    values = [value for value in self._values[field] if value is not None]
    value = rng.choice(values) if values else 1
    if isinstance(value, list):
      value = rng.choice(value) if value else "a"
    if isinstance(value, bool) or value is None:
      value = rng.choice(["true", 1])
    if isinstance(value, (int, float)):
      value = int(value) + rng.choice([0, 0, 0, 1, -1])
      return rng.choice(["%d", "%d", "%+d", "0%d"]) % value
    if rng.random() < 0.4 and value:
      value = rng.choice([value.split(".")[0], value.upper(), value[:-1],
                          value + ".", value.rpartition(".")[0]])
    return self._Quote(value)

  def _Simple(self):
    """Makes one condition.

    """
    rng = self._rng
    kind = rng.choice(["text", "text", "text", "number", "bool", "list"])
    field = rng.choice(self._fields[kind])
    if rng.random() < 0.05:
      kind = rng.choice(sorted(self._fields))
    space = rng.choice([" ", " ", " ", ""])
    if kind == "bool":
      return field
    if kind == "list":
      return "%s %s %s" % (self._Value(field, True),
                           rng.choice(["in", "in", "not in"]), field)
    choice = rng.randrange(4)
    if kind == "text" and choice == 0:
      return field + space + rng.choice(["=*", "!*"]) + space + \
        self._Quote(rng.choice(_GLOBS))
    if kind == "text" and choice == 1:
      delimiter = rng.choice("////#|^")
      return field + space + rng.choice(["=~", "!~"]) + space + \
        rng.choice(["m", "m", ""]) + delimiter + rng.choice(_REGEXPS) + \
        delimiter + rng.choice(["", "", "", "i", "s", "is", "x"])
    return (field + space + rng.choice(_COMPARISONS) + space +
            self._Value(field, True))
