"""Prints a SAM template as the plain CloudFormation that SAM makes of it.

cfn-lint leaves rules out wherever it sees the SAM transform, the one about
unknown IAM actions among them; on the plain template it applies them all.
SAM takes the region from AWS_DEFAULT_REGION.
"""

import json
import sys

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """The template names no managed policy for SAM to look up in an account."""

    def load(self):
        return {}


with open(sys.argv[1], encoding="utf-8") as source:
    template = yaml_parse(source.read())
for resource in template["Resources"].values():
    # SAM takes code that is already uploaded; where it lies is nothing to the linter.
    if "CodeUri" in resource.get("Properties", {}):
        resource["Properties"]["CodeUri"] = "s3://bucket/code.zip"
json.dump(transform(template, {}, NoManagedPolicies()), sys.stdout, indent=2)
