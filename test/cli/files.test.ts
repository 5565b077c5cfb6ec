import fs, {
	existsSync,
	lstatSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { writeAtomically, writePrivate } from "../../cli/files";
import { packageRoot } from "../../schema/package-root";
import { run } from "../support/cli";
import { temporaryFolder } from "../support/server";

const KEY = join(packageRoot(), "test-keys/ES256-jwk-private.json");

let folder: string;
let elsewhere: string;
beforeEach(() => {
	folder = temporaryFolder();
	elsewhere = join(folder, "elsewhere");
	writeFileSync(elsewhere, "not ours", { mode: 0o644 });
});

describe("no private key goes where a symbolic link points to:", () => {
	test.each<[string, string, (out: string) => string[]]>([
		[
			"keys generate --force",
			"keys/private-jwk.json",
			(out) => ["keys", "generate", "--force", "--out", dirname(out)],
		],
		[
			"keys import",
			"imported.json",
			(out) => ["keys", "import", KEY, "--out", out],
		],
		[
			"keys rotate publish",
			"new.json",
			(out) => [
				"keys",
				"rotate",
				"publish",
				"--private-out",
				out,
				"--config",
				config(),
			],
		],
		[
			"init",
			"keys/private-jwk.json",
			(out) => [
				"init",
				"--service",
				"orders",
				"--url",
				"http://orders:8080",
				"--gateway",
				"https://kong:8443",
				"--out",
				dirname(dirname(out)),
			],
		],
	])("%s", async (_, name, command) => {
		const out = join(folder, name);
		mkdirSync(dirname(out), { recursive: true });
		for (const target of [elsewhere, join(folder, "nowhere")]) {
			symlinkSync(target, out);
			const { code, stderr } = await run(command(out));
			expect({ code, stderr }).toMatchObject({
				code: 2,
				stderr: expect.stringMatching(/^x-custom-jwt: .*\n$/),
			});
			expect(stderr).toContain(out);
			expect(lstatSync(out).isSymbolicLink()).toBe(true);
			expect(readFileSync(elsewhere, "utf8")).toBe("not ours");
			expect(existsSync(join(folder, "nowhere"))).toBe(false);
			expect(existsSync(join(dirname(out), "public-jwk.json"))).toBe(false);
			rmSync(out);
		}
	});

	function config(): string {
		const file = join(folder, "kong.yml");
		writeFileSync(file, readFileSync(join(packageRoot(), "kong.yml")));
		return file;
	}
});

test("a private key is for its owner only, whatever the umask, and what was there is replaced and not opened", () => {
	const before = process.umask(0);
	try {
		writePrivate(elsewhere, "secret");
	} finally {
		process.umask(before);
	}
	expect(statSync(elsewhere).mode & 0o777).toBe(0o600);
});

test.each<[string, (path: string) => void]>([
	["a private key", (path) => writePrivate(path, "secret")],
	["any other file", (path) => writeAtomically(path, "public", 0o640)],
])(
	"%s changes the permissions of no other file when its temporary file is swapped for a link",
	(_, write) => {
		const original = fs.writeFileSync;
		const swap = jest
			.spyOn(fs, "writeFileSync")
			.mockImplementation((file, ...rest) => {
				original(file, ...rest);
				const [temporary = ""] = readdirSync(folder).filter((name) =>
					name.endsWith(".tmp"),
				);
				rmSync(join(folder, temporary));
				symlinkSync(elsewhere, join(folder, temporary));
			});
		try {
			write(join(folder, "ours"));
		} finally {
			swap.mockRestore();
		}
		expect(statSync(elsewhere).mode & 0o777).toBe(0o644);
		expect(readFileSync(elsewhere, "utf8")).toBe("not ours");
	},
);

test("a file without a private key is written where its link points to", () => {
	const link = join(folder, "link");
	symlinkSync(elsewhere, link);
	writeAtomically(link, "public", 0o644);
	expect(readFileSync(elsewhere, "utf8")).toBe("public");
	expect(lstatSync(link).isSymbolicLink()).toBe(true);
});
