import Shared
import Testing
