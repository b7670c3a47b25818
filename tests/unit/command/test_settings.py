"""Where each setting comes from, what it becomes, and how faults are told."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_reenroll.command import (
    AccessToken,
    BasicAuth,
    ClientCredentials,
    ConfigFile,
    Connection,
    Flags,
    Secret,
    not_configured,
    read_config,
    resolve,
)
from batch_reenroll.command.dialect import Family
from batch_reenroll.errors import UsageError

BASIC = {
    "KEYFACTOR_HOSTNAME": "command.example.com",
    "KEYFACTOR_USERNAME": "svc",
    "KEYFACTOR_PASSWORD": "hunter22",
}
OAUTH = {
    "KEYFACTOR_HOSTNAME": "command.example.com",
    "KEYFACTOR_AUTH_CLIENT_ID": "batch",
    "KEYFACTOR_AUTH_CLIENT_SECRET": "s3cr3t-value",
    "KEYFACTOR_AUTH_TOKEN_URL": "https://id.example.com/oauth2/token",
}
PROFILE = {
    "host": "file.example.com",
    "username": "file-user",
    "password": "file-password",
}


def config(*, origin: str = "default", **profiles: Mapping[str, Any]) -> ConfigFile:
    return ConfigFile(
        path="command_config.json",
        text=json.dumps({"servers": profiles}),
        origin=origin,
    )


def resolved(
    env: Mapping[str, str],
    file: ConfigFile | None = None,
    flags: Flags | None = None,
) -> Connection:
    connection = resolve(env, file, flags)
    assert connection is not None
    return connection


def refused(
    env: Mapping[str, str],
    file: ConfigFile | None = None,
    flags: Flags | None = None,
) -> UsageError:
    with pytest.raises(UsageError) as caught:
        resolve(env, file, flags)
    return caught.value


def whole(error: UsageError) -> str:
    return f"{error.message} {error.hint}"


class TestPresence:
    def test_nothing_configured_is_none(self) -> None:
        assert resolve({"PATH": "/bin", "KEYFACTOR_PORT": "1"}, None) is None

    def test_a_default_file_without_a_default_profile_is_nothing(self) -> None:
        assert resolve({}, config(other=PROFILE)) is None

    def test_an_empty_default_file_is_nothing(self) -> None:
        assert resolve({}, ConfigFile(path="f", text="")) is None

    def test_the_error_for_verbs_that_need_one_has_its_own_code(self) -> None:
        assert not_configured().code == "not_configured"
        assert "KEYFACTOR_HOSTNAME" in not_configured().hint

    def test_a_host_without_credentials_is_refused(self) -> None:
        error = refused({"KEYFACTOR_HOSTNAME": "c.example.com"})
        assert error.message == "no credentials are given"

    def test_credentials_without_a_host_are_refused(self) -> None:
        error = refused({"KEYFACTOR_AUTH_ACCESS_TOKEN": "abc"})
        assert error.message == "no Command host is named"

    def test_an_empty_variable_counts_as_unset(self) -> None:
        env = {**BASIC, "KEYFACTOR_API_PATH": "", "KEYFACTOR_PORT": " "}
        base = resolved(env).base_url
        assert base == "https://command.example.com/KeyfactorAPI"


class TestPrecedence:
    def test_environment_wins_over_the_profile(self) -> None:
        connection = resolved(BASIC, config(default=PROFILE))
        assert connection.base_url.startswith("https://command.example.com/")
        assert connection.auth == BasicAuth(username="svc", password=Secret("hunter22"))

    def test_the_profile_fills_what_the_environment_leaves_open(self) -> None:
        env = {"KEYFACTOR_PASSWORD": "env-password"}
        connection = resolved(env, config(default=PROFILE))
        assert connection.auth == BasicAuth(
            username="file-user", password=Secret("env-password")
        )

    def test_the_flag_wins_over_the_profile(self) -> None:
        file = config(default={**PROFILE, "dialect": "plain"})
        assert resolved({}, file).dialect is Family.PLAIN
        flags = Flags(dialect="prefixed")
        assert resolved({}, file, flags).dialect is Family.PREFIXED

    def test_the_profile_is_named_by_flag_then_environment(self) -> None:
        file = config(
            a={**PROFILE, "host": "a.example.com"},
            b={**PROFILE, "host": "b.example.com"},
        )
        env = {"KEYFACTOR_AUTH_CONFIG_PROFILE": "a"}
        assert "//a.example.com" in resolved(env, file).base_url
        assert "//b.example.com" in resolved(env, file, Flags(profile="b")).base_url

    def test_credentials_of_the_environment_win_over_other_kinds_in_the_file(
        self,
    ) -> None:
        file = config(
            default={
                "client_id": "x",
                "client_secret": "y",
                "token_url": "https://id.example.com/t",
                "auth_type": "oauth",
            }
        )
        assert isinstance(resolved(BASIC, file).auth, BasicAuth)

    def test_defaults_are_those_of_keyfactors_tools(self) -> None:
        connection = resolved(BASIC)
        assert connection.base_url == "https://command.example.com/KeyfactorAPI"
        assert connection.timeout_s == 60.0
        assert connection.tls.skip_verify is False
        assert connection.dialect is None

    def test_every_value_tells_its_origin_and_no_secret(self) -> None:
        file = config(lab={**PROFILE, "ca_cert_path": "ca.pem"}, origin="flag --config")
        env = {"KEYFACTOR_PASSWORD": "hunter22"}
        connection = resolved(env, file, Flags(profile="lab", dialect="10"))
        shown = {s.name: (s.shown, s.origin) for s in connection.origins}
        assert shown["config"] == ("command_config.json", "flag --config")
        assert shown["profile"] == ("lab", "flag --profile")
        assert shown["host"] == ("file.example.com", "file:lab.host")
        assert shown["password"] == ("********", "env KEYFACTOR_PASSWORD")
        assert shown["ca_cert_path"] == ("ca.pem", "file:lab.ca_cert_path")
        assert shown["dialect"] == ("10", "flag --dialect")
        assert shown["timeout_s"] == ("60", "default")
        assert "hunter22" not in repr(connection)
        assert "file-password" not in repr(connection)


class TestAddress:
    @pytest.mark.parametrize(
        ("env", "base_url"),
        [
            ({"HOSTNAME": "h"}, "https://h/KeyfactorAPI"),
            ({"HOSTNAME": "H.Example.COM"}, "https://h.example.com/KeyfactorAPI"),
            ({"HOSTNAME": "h", "PORT": "8443"}, "https://h:8443/KeyfactorAPI"),
            ({"HOSTNAME": "h", "PORT": "443"}, "https://h/KeyfactorAPI"),
            ({"HOSTNAME": "h:8443"}, "https://h:8443/KeyfactorAPI"),
            ({"HOSTNAME": "h:8443", "PORT": "8443"}, "https://h:8443/KeyfactorAPI"),
            ({"HOSTNAME": "https://h"}, "https://h/KeyfactorAPI"),
            ({"HOSTNAME": "https://h/"}, "https://h/KeyfactorAPI"),
            ({"HOSTNAME": "h", "API_PATH": "Keyfactor/API"}, "https://h/Keyfactor/API"),
            ({"HOSTNAME": "h", "API_PATH": "/a/b/"}, "https://h/a/b"),
            ({"HOSTNAME": "https://h/Keyfactor/API"}, "https://h/Keyfactor/API"),
            (
                {"HOSTNAME": "https://h/KeyfactorAPI", "API_PATH": "KeyfactorAPI"},
                "https://h/KeyfactorAPI",
            ),
            (
                {"HOSTNAME": "https://h/pki", "API_PATH": "KeyfactorAPI"},
                "https://h/pki/KeyfactorAPI",
            ),
            ({"HOSTNAME": "10.0.0.5"}, "https://10.0.0.5/KeyfactorAPI"),
            ({"HOSTNAME": "fd00::5"}, "https://[fd00::5]/KeyfactorAPI"),
            ({"HOSTNAME": "[fd00::5]:8443"}, "https://[fd00::5]:8443/KeyfactorAPI"),
            (
                {"HOSTNAME": "http://127.0.0.1:8080"},
                "http://127.0.0.1:8080/KeyfactorAPI",
            ),
            ({"HOSTNAME": "http://127.8.9.1"}, "http://127.8.9.1/KeyfactorAPI"),
            ({"HOSTNAME": "http://[::1]:80"}, "http://[::1]/KeyfactorAPI"),
            ({"HOSTNAME": "http://LOCALHOST"}, "http://localhost/KeyfactorAPI"),
        ],
    )
    def test_host_port_and_path_are_joined(
        self, env: dict[str, str], base_url: str
    ) -> None:
        named = {f"KEYFACTOR_{name}": value for name, value in env.items()}
        assert resolved({**BASIC, **named}).base_url == base_url

    @pytest.mark.parametrize(
        "host",
        [
            "http://command.example.com",
            "http://10.0.0.5",
            "http://128.0.0.1",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "ftp://h",
            "https://",
            "https://h:0",
            "h:99999",
            "h:abc",
            "a b",
            "h?x=1",
            "https://h/#x",
            "-h",
            "a..b",
            "https://[::1",
            "https://h/../x",
            "h\x00",
        ],
    )
    def test_a_host_that_cannot_be_used_is_refused(self, host: str) -> None:
        error = refused({**BASIC, "KEYFACTOR_HOSTNAME": host})
        assert error.message.startswith("env KEYFACTOR_HOSTNAME: ")
        assert "\x00" not in error.message

    def test_plain_http_to_another_machine_hints_at_https(self) -> None:
        error = refused({**BASIC, "KEYFACTOR_HOSTNAME": "http://10.0.0.5"})
        assert "https" in error.hint
        assert "loopback" in error.hint

    @pytest.mark.parametrize(
        "host",
        ["https://me:hunter22@h", "me:hunter22@h", "http://hunter22@127.0.0.1/x"],
    )
    def test_credentials_in_the_address_are_refused_and_not_repeated(
        self, host: str
    ) -> None:
        error = refused({**BASIC, "KEYFACTOR_HOSTNAME": host})
        assert "hunter22" not in whole(error)

    def test_two_different_ports_of_one_source_are_refused(self) -> None:
        error = refused({**BASIC, "KEYFACTOR_HOSTNAME": "h:1", "KEYFACTOR_PORT": "2"})
        assert "two ports" in error.message

    def test_a_port_of_the_environment_wins_over_one_in_the_profiles_host(self) -> None:
        file = config(default={**PROFILE, "host": "h:1"})
        assert "//h:2/" in resolved({"KEYFACTOR_PORT": "2"}, file).base_url

    def test_a_port_in_the_environments_host_wins_over_the_profiles(self) -> None:
        file = config(default={**PROFILE, "port": 443})
        env = {"KEYFACTOR_HOSTNAME": "h:8443"}
        assert "//h:8443/" in resolved(env, file).base_url

    @given(st.text(max_size=40))
    def test_any_host_is_a_connection_or_a_usage_error(self, host: str) -> None:
        try:
            connection = resolve({**BASIC, "KEYFACTOR_HOSTNAME": host}, None)
        except UsageError:
            return
        assert connection is not None
        assert connection.base_url.startswith(("https://", "http://"))


class TestValues:
    @pytest.mark.parametrize(
        ("text", "value"), [("true", True), ("1", True), ("False", False), ("0", False)]
    )
    def test_skip_verify_is_a_switch(self, text: str, value: bool) -> None:
        env = {**BASIC, "KEYFACTOR_SKIP_VERIFY": text}
        assert resolved(env).tls.skip_verify is value

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("KEYFACTOR_SKIP_VERIFY", "maybe"),
            ("KEYFACTOR_CLIENT_TIMEOUT", "0"),
            ("KEYFACTOR_CLIENT_TIMEOUT", "-1"),
            ("KEYFACTOR_CLIENT_TIMEOUT", "nan"),
            ("KEYFACTOR_CLIENT_TIMEOUT", "inf"),
            ("KEYFACTOR_CLIENT_TIMEOUT", "soon"),
            ("KEYFACTOR_PORT", "0"),
            ("KEYFACTOR_PORT", "65536"),
            ("KEYFACTOR_PORT", "٤٤٣"),
            ("KEYFACTOR_API_PATH", "a?b"),
            ("KEYFACTOR_API_PATH", "a//b"),
            ("KEYFACTOR_API_PATH", "../x"),
        ],
    )
    def test_a_wrong_value_names_its_origin(self, name: str, text: str) -> None:
        error = refused({**BASIC, name: text})
        assert error.message.startswith(f"env {name}: ")
        assert error.hint

    def test_a_wrong_dialect_is_refused(self) -> None:
        error = refused(BASIC, None, Flags(dialect="new"))
        assert error.message == "flag --dialect: 'new' is no dialect"

    def test_certificates_are_named_separately_for_each_server(self) -> None:
        env = {
            **OAUTH,
            "KEYFACTOR_CA_CERT": "command.pem",
            "KEYFACTOR_AUTH_CA_CERT": "id.pem",
        }
        tls = resolved(env).tls
        assert (tls.ca_cert, tls.auth_ca_cert) == ("command.pem", "id.pem")

    def test_a_profile_may_name_a_client_certificate(self) -> None:
        file = config(
            default={
                **PROFILE,
                "client_cert_path": "me.pem",
                "client_key_path": "me.key",
            }
        )
        tls = resolved({}, file).tls
        assert (tls.client_cert, tls.client_key) == ("me.pem", "me.key")

    def test_a_client_key_without_certificate_is_refused(self) -> None:
        error = refused({}, config(default={**PROFILE, "client_key_path": "me.key"}))
        assert "client_cert_path" in error.message

    def test_all_faults_are_told_at_once(self) -> None:
        env = {
            "KEYFACTOR_HOSTNAME": "http://10.0.0.5",
            "KEYFACTOR_PORT": "x",
            "KEYFACTOR_USERNAME": "svc",
            "KEYFACTOR_SKIP_VERIFY": "maybe",
        }
        message = refused(env).message
        assert message.startswith("the connection settings have 4 faults:")
        for part in ("10.0.0.5", "KEYFACTOR_PORT", "password", "KEYFACTOR_SKIP_VERIFY"):
            assert part in message


class TestCredentials:
    @pytest.mark.parametrize(
        ("username", "domain", "account"),
        [
            ("svc", "", "svc"),
            ("svc", "CORP", r"CORP\svc"),
            (r"CORP\svc", "", r"CORP\svc"),
            (r"CORP\svc", "OTHER", r"CORP\svc"),
            ("svc@corp.example.com", "", r"corp.example.com\svc"),
        ],
    )
    def test_accounts_are_sent_as_domain_and_user(
        self, username: str, domain: str, account: str
    ) -> None:
        env = {**BASIC, "KEYFACTOR_USERNAME": username, "KEYFACTOR_DOMAIN": domain}
        auth = resolved(env).auth
        assert isinstance(auth, BasicAuth)
        assert auth.account == account

    @pytest.mark.parametrize("username", ["a:b", "a@b@c", r"A\b\c", "a@"])
    def test_a_name_that_no_account_has_is_refused(self, username: str) -> None:
        error = refused({**BASIC, "KEYFACTOR_USERNAME": username})
        assert r"DOMAIN\user" in error.hint

    def test_client_credentials_take_scopes_and_audience(self) -> None:
        env = {
            **OAUTH,
            "KEYFACTOR_AUTH_SCOPES": "openid, command",
            "KEYFACTOR_AUTH_AUDIENCE": "api",
        }
        assert resolved(env).auth == ClientCredentials(
            client_id="batch",
            client_secret=Secret("s3cr3t-value"),
            token_url="https://id.example.com/oauth2/token",
            scopes=("openid", "command"),
            audience="api",
        )

    def test_scopes_of_a_profile_are_a_list(self) -> None:
        file = config(
            default={
                "host": "h",
                "client_id": "x",
                "client_secret": "y",
                "token_url": "https://id.example.com/t/",
                "scopes": ["a", "b"],
            }
        )
        auth = resolved({}, file).auth
        assert isinstance(auth, ClientCredentials)
        assert (auth.scopes, auth.token_url) == (
            ("a", "b"),
            "https://id.example.com/t/",
        )

    def test_a_ready_token_wins_over_other_kinds_of_the_same_source(self) -> None:
        env = {**BASIC, **OAUTH, "KEYFACTOR_AUTH_ACCESS_TOKEN": "abc"}
        assert resolved(env).auth == AccessToken(token=Secret("abc"))

    def test_complete_credentials_win_over_incomplete_ones(self) -> None:
        env = {**BASIC, "KEYFACTOR_AUTH_CLIENT_ID": "left over"}
        assert isinstance(resolved(env).auth, BasicAuth)

    def test_the_auth_type_of_a_profile_decides_for_it(self) -> None:
        both = {
            **PROFILE,
            "client_id": "x",
            "client_secret": "y",
            "token_url": "https://id.example.com/t",
        }
        assert isinstance(resolved({}, config(default=both)).auth, ClientCredentials)
        basic = config(default={**both, "auth_type": "basic"})
        assert isinstance(resolved({}, basic).auth, BasicAuth)

    def test_a_missing_half_is_named(self) -> None:
        env = {k: v for k, v in OAUTH.items() if "TOKEN_URL" not in k}
        error = refused(env)
        assert error.message == "token_url is missing"
        assert "KEYFACTOR_AUTH_TOKEN_URL" in error.hint

    @pytest.mark.parametrize(
        "url", ["http://id.example.com/t", "id.example.com/t", "https://a:b@c/t"]
    )
    def test_a_token_url_that_would_show_the_secret_is_refused(self, url: str) -> None:
        refused({**OAUTH, "KEYFACTOR_AUTH_TOKEN_URL": url})

    @pytest.mark.parametrize(
        "profile",
        [
            {"host": "h", "auth_type": "kerberos", **PROFILE},
            {"host": "h", "kerberos_realm": "EXAMPLE.COM"},
            {"host": "h", "auth_provider": {"type": "azid", "profile": "azure"}},
            {"host": "h", "auth_type": "saml"},
        ],
    )
    def test_kinds_we_do_not_speak_are_said_not_to_be_supported(
        self, profile: Mapping[str, Any]
    ) -> None:
        assert "not supported" in refused({}, config(default=profile)).message

    def test_the_environment_helps_against_an_unsupported_profile(self) -> None:
        file = config(default={"host": "h", "auth_provider": {"type": "azid"}})
        assert isinstance(resolved(BASIC, file).auth, BasicAuth)

    def test_kerberos_variables_are_said_not_to_be_supported(self) -> None:
        env = {"KEYFACTOR_HOSTNAME": "h", "KEYFACTOR_AUTH_KRB_USERNAME": "svc"}
        assert "Kerberos" in refused(env).message

    def test_a_stray_byte_in_a_password_is_refused(self) -> None:
        assert "UTF-8" in refused({**BASIC, "KEYFACTOR_PASSWORD": "a\udcff"}).message


class TestFile:
    def test_yaml_is_read_as_well(self) -> None:
        text = "servers:\n  default:\n    host: y.example.com\n    access_token: abc\n"
        connection = resolved({}, ConfigFile(path="c.yaml", text=text))
        assert connection.base_url == "https://y.example.com/KeyfactorAPI"

    def test_an_unknown_named_profile_lists_those_there_are(self) -> None:
        error = refused({}, config(a=PROFILE, b=PROFILE), Flags(profile="c"))
        assert error.message == "flag --profile: the file holds no profile 'c'"
        assert "a, b" in error.hint

    def test_a_named_file_without_default_profile_is_refused(self) -> None:
        error = refused({}, config(a=PROFILE, origin="flag --config"))
        assert "no profile 'default'" in error.message

    def test_a_named_profile_without_any_file_is_refused(self) -> None:
        error = refused(BASIC, None, Flags(profile="lab"))
        assert "no file" in error.message

    @pytest.mark.parametrize(
        "text",
        [
            "{",
            "[1]",
            '{"servers": 3}',
            "a: [",
            "!!python/object:os.system x",
            "a: b: hunter22: ]",
            "{" * 5000,
        ],
    )
    def test_a_file_that_holds_no_profiles_is_refused_without_quoting_it(
        self, text: str
    ) -> None:
        error = refused(BASIC, ConfigFile(path="c.json", text=text))
        assert "c.json" in error.message
        assert "hunter22" not in whole(error)

    @given(st.text(max_size=60))
    def test_any_text_is_a_connection_none_or_a_usage_error(self, text: str) -> None:
        with contextlib.suppress(UsageError):
            resolve({}, ConfigFile(path="c.json", text=text))

    def test_a_missing_default_file_is_fine(self, tmp_path: Path) -> None:
        assert read_config({}, Flags(), home=tmp_path) is None

    def test_the_default_file_is_the_one_kfutil_writes(self, tmp_path: Path) -> None:
        path = tmp_path / ".keyfactor" / "command_config.json"
        path.parent.mkdir()
        path.write_text("{}")
        file = read_config({}, Flags(), home=tmp_path)
        assert file == ConfigFile(path=str(path), text="{}", origin="default")

    def test_a_tilde_that_no_shell_has_expanded_is_home(self, tmp_path: Path) -> None:
        (tmp_path / "c.json").write_text("{}")
        env = {"KEYFACTOR_AUTH_CONFIG_FILE": "~/c.json"}
        file = read_config(env, Flags(), home=tmp_path)
        assert file is not None
        assert file.text == "{}"

    def test_the_flag_names_the_file_before_the_environment(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "a").write_text("A")
        (tmp_path / "b").write_text("B")
        env = {"KEYFACTOR_AUTH_CONFIG_FILE": str(tmp_path / "a")}
        by_env = read_config(env, Flags(), home=tmp_path)
        flags = Flags(config=str(tmp_path / "b"))
        by_flag = read_config(env, flags, home=tmp_path)
        assert by_env is not None
        assert by_flag is not None
        assert (by_env.text, by_flag.text) == ("A", "B")

    @pytest.mark.parametrize("content", [None, b"\xff\xfe", b"x" * (1 << 20) + b"x"])
    def test_a_named_file_that_cannot_be_used_is_refused(
        self, tmp_path: Path, content: bytes | None
    ) -> None:
        path = tmp_path / "c.json"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UsageError) as caught:
            read_config({}, Flags(config=str(path)), home=tmp_path)
        assert caught.value.message.startswith("flag --config: ")

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot be read"):
            read_config({}, Flags(config=str(tmp_path)), home=tmp_path)
