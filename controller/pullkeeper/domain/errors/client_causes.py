"""Causes of what botocore and the libraries below it raise, by the names of the classes."""

from pullkeeper.domain.errors.causes import CauseTable
from pullkeeper.domain.errors.configuration_causes import CONFIGURATION_CAUSES, REGION_CAUSES
from pullkeeper.domain.errors.credential_causes import CREDENTIAL_CAUSES
from pullkeeper.domain.errors.network_causes import NETWORK_CAUSES, UNREADABLE

CLIENT_CAUSES = CauseTable((*CONFIGURATION_CAUSES, *NETWORK_CAUSES, *CREDENTIAL_CAUSES, *REGION_CAUSES, UNREADABLE))
