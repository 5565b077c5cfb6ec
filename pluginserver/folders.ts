/** Whether other users of the machine could put a file of theirs in the place of ours. */
import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { dirname, isAbsolute, join, parse, sep } from "node:path";
import type { Log } from "./log";

/** As many links as Linux follows in one path (path_resolution(7)). */
const MAX_LINKS = 40;

const GROUP_WRITES = 0o020;
const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;

/**
 * Checks every folder on the way to a file, and every symbolic link: whoever can write to one of them can replace what
 * is below it. In a sticky folder, such as /tmp, only the owner of an entry can replace it. This does not help the
 * file's own folder: another user could create the file while it is missing.
 *
 * @param path an absolute path, or one that is relative to the working directory
 * @param log takes a warning for each folder that a group can write to
 * @throws naming the folder or link, and what to do
 */
export function checkFolders(path: string, log: Log): void {
	const folders = foldersTo(path);
	const own = folders.at(-1);
	for (const folder of new Set(folders))
		checkFolder(folder, path, folder === own, log);
}

/**
 * All folders that the kernel passes on the way to a file, with none of their names a link; the last one is the file's.
 *
 * @throws when another user has made one of the links on the way
 */
function foldersTo(path: string): string[] {
	const full = isAbsolute(path) ? path : `${process.cwd()}${sep}${path}`;
	let { root: place } = parse(full);
	const folders = [place];
	const pending = namesIn(dirname(full));
	let links = 0;
	for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
		const entry = join(place, name);
		const stats = lstatSync(entry);
		if (stats.isSymbolicLink()) {
			checkOwner(entry, stats, path);
			links += 1;
			if (links > MAX_LINKS)
				throw new Error(`the folder of ${path} has too many symbolic links`);
			const target = readlinkSync(entry);
			if (isAbsolute(target)) place = parse(target).root;
			pending.unshift(...namesIn(target));
		} else place = entry;
		folders.push(place);
	}
	return folders;
}

/** The names in a path, without those that lead nowhere else. */
const namesIn = (path: string) =>
	path.split(sep).filter((name) => name !== "" && name !== ".");

/** @param isLast whether it is the folder of the file itself */
function checkFolder(
	folder: string,
	path: string,
	isLast: boolean,
	log: Log,
): void {
	const stats = lstatSync(folder);
	if (!stats.isDirectory()) throw new Error(`${folder} is not a folder`);
	checkOwner(folder, stats, path);
	const isSticky = (stats.mode & STICKY) !== 0;
	if (stats.mode & OTHERS_WRITE && (isLast || !isSticky))
		throw new Error(
			`every user can write to ${folder}, and could replace ${path}; ${ADVICE}`,
		);
	if (stats.mode & GROUP_WRITES && (isLast || !isSticky))
		log("warn", "a group can write to a folder of the socket", {
			socket: path,
			folder,
			group: stats.gid,
		});
}

/** The owner of a folder can write to it, whatever its mode is now. */
function checkOwner(entry: string, { uid }: Stats, path: string): void {
	const own = process.geteuid?.();
	if (uid === 0 || uid === own) return;
	throw new Error(
		`${entry} belongs to user ${uid}, who could replace ${path}; ${ADVICE}`,
	);
}

const ADVICE =
	"give the socket a folder of its own, below folders that only root or the plugin server's user can write to";
