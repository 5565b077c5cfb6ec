import {
	chmodSync,
	lchownSync,
	mkdirSync,
	realpathSync,
	symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { checkFolders } from "../../pluginserver/folders";
import { temporaryFolder } from "../support/server";

/** A user that is neither root nor the one who runs the tests. */
const STRANGER = 54_321;

let base: string;
let warned: unknown[];

beforeEach(() => {
	base = realpathSync(temporaryFolder());
	warned = [];
	mkdirSync(join(base, "a/b"), { recursive: true });
});
afterEach(() => jest.restoreAllMocks());

const check = (path: string) =>
	checkFolders(join(base, path), (...line) => warned.push(line));

/** Gives an entry to another user, which only root can; for others, they themselves become another user. */
function giveAway(entry: string): void {
	if (process.geteuid?.() === 0) lchownSync(join(base, entry), STRANGER, 0);
	else jest.spyOn(process, "geteuid").mockReturnValue(STRANGER);
}

test("folders that only root and the plugin server's user can write to pass without a warning", () => {
	check("a/b/socket");
	expect(warned).toEqual([]);
});

test.each([
	["the socket's own folder", "a/b"],
	["the folder above it", "a"],
	["a folder further up", "."],
])("%s is refused when every user can write to it", (_, folder) => {
	chmodSync(join(base, folder), 0o757);
	expect(() => check("a/b/socket")).toThrow(
		`every user can write to ${join(base, folder)}, and could replace`,
	);
});

test("a sticky folder is refused as the socket's own, and accepted above it", () => {
	chmodSync(join(base, "a"), 0o1777);
	check("a/b/socket");
	expect(() => check("a/socket")).toThrow(`write to ${join(base, "a")},`);
});

test.each(["a/b", "a"])("another user's folder is refused: %s", (folder) => {
	giveAway(folder);
	expect(() => check("a/b/socket")).toThrow(/ belongs to user \d+, who could/);
});

test("another user's symbolic link is refused, and one of ours is followed", () => {
	symlinkSync("a/b", join(base, "link"));
	check("link/socket");
	giveAway("link");
	expect(() => check("link/socket")).toThrow(/belongs to user/);
});

test.each([
	["relative", () => "real/open/own"],
	["absolute", () => join(base, "real/open/own")],
	["through a folder above", () => "a/../real/open/own"],
])("folders behind a %s symbolic link are checked", (_, target) => {
	mkdirSync(join(base, "real/open/own"), { recursive: true });
	symlinkSync(target(), join(base, "link"));
	check("link/socket");
	chmodSync(join(base, "real/open"), 0o777);
	expect(() => check("link/socket")).toThrow("real/open,");
});

test.each([".", "..", "../a"])(
	"a link that ends at a folder that was passed before makes it the socket's own: %s",
	(target) => {
		symlinkSync(target, join(base, "a/link"));
		const own = target === ".." ? base : join(base, "a");
		chmodSync(own, 0o1777);
		expect(() => check("a/link/socket")).toThrow(`write to ${own},`);
	},
);

test("'..' behind a link is the folder above the link's target, as the kernel takes it", () => {
	mkdirSync(join(base, "real/open/own"), { recursive: true });
	symlinkSync("real/open/own", join(base, "link"));
	chmodSync(join(base, "real/open"), 0o777);
	expect(() => checkFolders(`${base}/link/../../socket`, () => {})).toThrow(
		"real/open,",
	);
});

test("links that lead to each other are refused", () => {
	symlinkSync("two", join(base, "one"));
	symlinkSync("one", join(base, "two"));
	expect(() => check("one/socket")).toThrow("too many symbolic links");
});

test("a relative path is taken from the working directory", () => {
	jest.spyOn(process, "cwd").mockReturnValue(join(base, "a"));
	checkFolders("b/socket", () => {});
	chmodSync(join(base, "a"), 0o777);
	expect(() => checkFolders("b/socket", () => {})).toThrow(join(base, "a"));
	expect(() => checkFolders("socket", () => {})).toThrow(join(base, "a"));
});

test("each folder that a group can write to is warned of once, unless it is sticky and above", () => {
	chmodSync(join(base, "a/b"), 0o1775);
	chmodSync(join(base, "a"), 0o775);
	chmodSync(base, 0o1775);
	symlinkSync(join(base, "a/b"), join(base, "a/b/link"));
	check("a/b/link/socket");
	const folders = warned.map((line) => (line as [string, string, object])[2]);
	expect(folders).toEqual([
		expect.objectContaining({ folder: join(base, "a") }),
		expect.objectContaining({ folder: join(base, "a/b") }),
	]);
});
