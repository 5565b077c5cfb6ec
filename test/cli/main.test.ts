import { version } from "../../package.json";
import { run } from "../support/cli";

const COMMANDS = [
	"completion",
	"config",
	"keys",
	"token",
	"keys generate",
	"keys import",
	"keys public",
	"keys pem",
	"keys thumbprint",
	"keys rotate",
	"keys rotate publish",
	"keys rotate activate",
	"keys rotate retire",
	"token verify",
	"token decode",
	"config check",
	"config explain",
	"konnect push",
	"gateway",
	"",
];

test.each(COMMANDS)(
	"%s --help teaches by examples of commands there are",
	async (command) => {
		const path = command.split(" ").filter(Boolean);
		const { code, stdout } = await run([...path, "--help"]);
		expect(code).toBe(0);
		const examples = [...stdout.matchAll(/\bx-custom-jwt ((?:[a-z]+[ -]?)+)/g)]
			.map(([, words = ""]) => words.trim())
			.filter((words) => words !== "");
		const known = examples.filter((words) =>
			COMMANDS.some((one) => one && words.startsWith(one)),
		);
		expect(stdout).toContain("Example");
		expect(known).not.toEqual([]);
		expect(known).toEqual(examples);
	},
);

test.each([
	["no command", [], "Usage: x-custom-jwt"],
	["an unknown command", ["key"], "unknown command 'key'"],
	[
		"an unknown option",
		["keys", "generate", "--out", "x", "--size"],
		"unknown option",
	],
	["a missing option", ["keys", "generate"], "'--out <folder>' not specified"],
	["a missing argument", ["keys", "pem"], "missing required argument 'file'"],
	[
		"an unknown algorithm",
		["keys", "generate", "--alg", "HS256"],
		"is invalid",
	],
	[
		"a port that is none",
		["gateway", "--http-port", "x"],
		"A port is expected",
	],
	["an option that is gone", ["gateway", "--config", "."], "unknown option"],
	[
		"a port beyond the last one",
		["gateway", "--http-port", "65536"],
		"A port is expected",
	],
])("%s is bad use, exit code 2", async (_, args, named) => {
	expect(await run(args)).toMatchObject({
		code: 2,
		stdout: "",
		stderr: expect.stringContaining(named),
	});
});

test("--version is the package's", async () => {
	expect(await run(["--version"])).toMatchObject({
		code: 0,
		stdout: `${version}\n`,
	});
});
