#
# Copyright (C) 2026 the ganeti-confd authors
# SPDX-License-Identifier: BSD-2-Clause

"""confd-exporter: a web server for metrics and pages, beside confd.

C{facts} is what is known of a cluster, C{metrics} what of it goes to
Prometheus.

"""
