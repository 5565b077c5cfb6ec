/** What a command prints of text that somebody else wrote. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { FORMAT_NAMES } from "../../cli/formats";
import { testKey } from "../../local/demo/flows";
import { run } from "../support/cli";
import { unsignedToken } from "../support/samples";
import { temporaryFolder } from "../support/server";

/** Tries to write a line of its own, a command for GitHub's runner, and to a terminal. */
const HOSTILE =
	"a\n::error::forged\r\u001b[2J\u009b1m\u202eb\u2028\u200b\u3164\u{e0041}";

const ACTED_ON = /^::|(?![\t\n])\p{Cc}|[\u202e\u2028\u200b\u3164\u{e0041}]/mu;

const folder = temporaryFolder();

function written(name: string, text: string): string {
	const path = join(folder, name);
	writeFileSync(path, text);
	return path;
}

const jwk = JSON.parse(testKey("ES256-jwk-private.json"));
const key = () => written("key.json", JSON.stringify({ ...jwk, kid: HOSTILE }));
const kong = () =>
	written(
		"kong.yml",
		JSON.stringify({
			_format_version: "3.0",
			plugins: [
				{
					name: "x-custom-jwt",
					config: { [HOSTILE]: 1, private_jwk: HOSTILE, iss: HOSTILE },
				},
			],
		}),
	);
const token = unsignedToken({ sub: HOSTILE, [HOSTILE]: 1 });

test.each<[string, () => string[]]>([
	["keys public", () => ["keys", "public", key()]],
	["keys thumbprint", () => ["keys", "thumbprint", key()]],
	["keys thumbprint --json", () => ["keys", "thumbprint", "--json", key()]],
	[
		"keys import",
		() => ["keys", "import", key(), "--out", join(folder, "imported.json")],
	],
	["config check", () => ["config", "check", kong()]],
	...FORMAT_NAMES.map((format): [string, () => string[]] => [
		`config check --format ${format}`,
		() => ["config", "check", "--format", format, kong()],
	]),
	["keys rotate status", () => ["keys", "rotate", "status", kong()]],
	["token decode", () => ["token", "decode", token]],
	["token decode --json", () => ["token", "decode", "--json", token]],
	["token verify", () => ["token", "verify", token, "--jwks", key()]],
	["a file that is not there", () => ["keys", "public", HOSTILE]],
	["an unknown command", () => [HOSTILE]],
])("%s prints nothing that acts on a terminal or on CI", async (_, args) => {
	const { stdout, stderr } = await run(args());
	expect(stdout + stderr).not.toBe("");
	// The commands that are meant; one that is forged would say so.
	expect(stdout.replaceAll(/^::\w+ file=/gm, "")).not.toMatch(ACTED_ON);
	expect(stderr).not.toMatch(ACTED_ON);
});
