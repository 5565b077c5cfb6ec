/** How `config check` prints its findings. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { FORMAT_NAMES } from "../../cli/formats";
import { RULES } from "../../cli/rules/table";
import { testKey } from "../../local/demo/flows";
import { run } from "../support/cli";
import { temporaryFolder } from "../support/server";

const folder = temporaryFolder();

/** A file with an error, a warning and a note, and with a name that a format could take for syntax. */
const file = join(folder, "a,b:c%20&d.yml");
const TEXT = `_format_version: "3.0"
services:
  - name: shop
    url: http://shop
    routes:
      - { name: shop, paths: [/shop] }
    plugins:
      - name: x-custom-jwt
        config:
          auth_methodz: [key] # a remark
          jku: ""
          auth_methods: [key]
          private_jwk: '${JSON.stringify(JSON.parse(testKey("ES256-jwk-private.json")))}'
`;
beforeAll(() => writeFileSync(file, TEXT));

const IDS = ["no-security-plugin", "unknown-field", "no-jku"];

const check = (...options: string[]) =>
	run(["config", "check", "--ignore", "test-key", ...options, file]);

test("text has for each finding its place, id, line of the file and cure", async () => {
	const { stdout, code } = await check();
	expect(code).toBe(1);
	expect(stdout.split("\n")).toEqual([
		expect.stringMatching(/:6:9 warning: .* \[no-security-plugin\]$/),
		"  6 |       - { name: shop, paths: [/shop] }",
		"    |         ^",
		expect.stringMatching(/^ {2}Put a plugin such as key-auth/),
		expect.stringMatching(/:10:25 error: .* \[unknown-field\]$/),
		"  10 |           auth_methodz: […]",
		"     |                         ^",
		"  Did you mean auth_methods?",
		expect.stringMatching(/:11:16 note: .* \[no-jku\]$/),
		'  11 |           jku: ""',
		"     |                ^",
		expect.stringMatching(/^ {2}Check that backends have the key/),
		"1 error, 1 warning, 1 note",
		"",
	]);
});

test("json has the same, and --json is short for it", async () => {
	const { stdout } = await check("--format", "json");
	expect(JSON.parse(stdout)).toMatchObject([
		{ id: IDS[0], severity: "warning", file, line: 6, column: 9 },
		{ id: IDS[1], source: "          auth_methodz: […]" },
		{ id: IDS[2], severity: "note", cure: expect.stringContaining("jku") },
	]);
	expect((await check("--json")).stdout).toBe(stdout);
});

test("github has one command a finding, whose properties are escaped", async () => {
	const { stdout } = await check("--format", "github");
	const lines = stdout.trim().split("\n");
	const escaped = file.replace("a,b:c%20", "a%2Cb%3Ac%2520");
	expect(lines).toEqual([
		expect.stringMatching(/^::warning file=.*,title=x-custom-jwt no-sec/),
		expect.stringMatching(/^::error /),
		expect.stringMatching(/^::notice /),
	]);
	expect(lines[1]).toContain(
		`::error file=${escaped},line=10,col=25,title=x-custom-jwt unknown-field::`,
	);
	expect(lines[1]).toContain("%0ADid you mean auth_methods?");
});

test("sarif has all rules and a result for each finding", async () => {
	const { stdout } = await check("--format", "sarif");
	const { version, runs } = JSON.parse(stdout);
	expect(version).toBe("2.1.0");
	expect(runs[0].tool.driver.rules).toHaveLength(RULES.length);
	for (const { ruleId, ruleIndex } of runs[0].results)
		expect(runs[0].tool.driver.rules[ruleIndex].id).toBe(ruleId);
	expect(runs[0].results).toMatchObject([
		{ ruleId: IDS[0], level: "warning" },
		{
			ruleId: IDS[1],
			level: "error",
			locations: [
				{
					physicalLocation: {
						artifactLocation: {
							uri: `file://${file.replace("a,b:c%20&d", "a%2Cb%3Ac%2520%26d")}`,
						},
						region: { startLine: 10, startColumn: 25 },
					},
				},
			],
		},
		{ ruleId: IDS[2], level: "note" },
	]);
});

test("junit has a case for each finding, of which errors have failed", async () => {
	const { stdout } = await check("--format", "junit");
	expect(stdout).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>\n/);
	expect(stdout).toContain('tests="3" failures="1"');
	expect(stdout.match(/<testcase /g)).toHaveLength(3);
	expect(stdout.match(/<failure type="unknown-field"/g)).toHaveLength(1);
	expect(stdout).not.toMatch(/&(?!#\d+;)/);
});

test.each(FORMAT_NAMES)(
	"%s has the id of each rule and no secret",
	async (format) => {
		const { stdout } = await check("--format", format);
		for (const id of IDS) expect(stdout).toContain(id);
		const { d } = JSON.parse(testKey("ES256-jwk-private.json"));
		expect(stdout).not.toContain(d);
		expect(stdout).not.toContain("a remark");
	},
);

test("--strict makes errors of warnings", async () => {
	const ignored = ["--ignore", "unknown-field"];
	expect(await check(...ignored)).toMatchObject({ code: 0 });
	const { code, stdout } = await check(...ignored, "--strict");
	expect(code).toBe(1);
	expect(stdout).toContain(":6:9 error: ");
	expect(stdout).toContain("1 error, 0 warnings, 1 note");
});

test.each([
	["misspelt", "x-custom-jtw", true, 1],
	["disabled", "x-custom-jwt", false, 1],
	["missing", "other", true, 1],
])(
	"an entry that is %s is named, and fails with --strict",
	async (_, name, enabled, code) => {
		const path = join(folder, `${name}-${enabled}.yml`);
		const plugins = [{ name, enabled, config: {} }];
		writeFileSync(path, JSON.stringify({ _format_version: "3.0", plugins }));
		const outcome = await run(["config", "check", "--strict", path]);
		expect(outcome.code).toBe(code);
		expect(outcome.stdout).toMatch(/Did you mean|disabled|nothing was checked/);
	},
);

test.each([
	["--ignore", "test-keys", "Did you mean test-key?"],
	["--ignore", "everything", "There is no such rule."],
	["--format", "xml", "Allowed choices are text, json, github, sarif, junit."],
])("%s %s is bad use", async (option, value, said) => {
	expect(await check(option, value)).toMatchObject({
		code: 2,
		stderr: expect.stringContaining(said),
	});
});

test("--env resolves a reference from the environment", async () => {
	const path = join(folder, "env.yml");
	writeFileSync(
		path,
		TEXT.replace(/private_jwk: .*/, "private_jwk: '{vault://env/a-key}'"),
	);
	const args = ["config", "check", "--env", "--json", path];
	const ids = async (env: NodeJS.ProcessEnv) =>
		JSON.parse((await run(args, { env })).stdout).map(
			({ id }: { id: string }) => id,
		);
	expect(await ids({})).toContain("variable-not-set");
	expect(await ids({ A_KEY: testKey("ES256-jwk-private.json") })).toContain(
		"test-key",
	);
});
