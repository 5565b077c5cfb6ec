import { execFileSync } from "node:child_process";
import { packageRoot } from "../../schema/package-root";
import { run } from "../support/cli";

const script = async (shell: string) =>
	(await run(["completion", shell])).stdout;

/** What bash completes after these words; the last one may be begun. */
function completed(bash: string, words: string[]): string[] {
	const command = ["x-custom-jwt", ...words].map((word) => `'${word}'`);
	return execFileSync(
		"bash",
		[
			"-c",
			`${bash}\nCOMP_WORDS=(${command.join(" ")}); COMP_CWORD=${words.length}; _x_custom_jwt; echo "\${COMPREPLY[*]}"`,
		],
		{ encoding: "utf8", cwd: packageRoot() },
	)
		.trim()
		.split(" ");
}

test.each([
	[["to"], ["token"]],
	[["keys", "gen"], ["generate"]],
	[
		["keys", "rotate", ""],
		["publish", "activate", "retire", "status", "--help"],
	],
	[["keys", "generate", "--al"], ["--alg"]],
	[["keys", "generate", "--alg", "PS3"], ["PS384"]],
	[["keys", "generate", "--out", "x", "--for"], ["--force"]],
	[["completion", "f"], ["fish"]],
	[["token", "verify", "keys", "--jw"], ["--jwks"]],
])("bash completes %j", async (words, expected) => {
	expect(completed(await script("bash"), words)).toEqual(expected);
});

test("zsh runs the script of bash", async () => {
	expect(await script("zsh")).toBe(
		`autoload -U +X bashcompinit && bashcompinit\n${await script("bash")}`,
	);
});

test("fish has a line for each command and option, with quotes of texts escaped", async () => {
	const fish = await script("fish");
	expect(fish).toContain(
		`complete -c x-custom-jwt -n 'test (__x_custom_jwt_path) = "keys"' -f -a generate -d '`,
	);
	expect(fish).toMatch(/= "keys generate"' -l alg -d '[^']*' -x -a 'RS256 /);
	const odd = fish
		.split("\n")
		.filter((line) => line.replaceAll("\\'", "").split("'").length % 2 === 0);
	expect(odd).toEqual([]);
});

test("another shell is bad use", async () => {
	expect(await run(["completion", "tcsh"])).toMatchObject({
		code: 2,
		stderr: expect.stringContaining("bash, zsh, fish"),
	});
});
