import { createHash, hash } from "node:crypto";
import { open } from "node:fs/promises";
import type { BodyDigest } from "../core/questions";
import { refused } from "../core/refusals";

/** How much of a file is in memory at a time, in bytes. */
const PIECE = 64 * 1024;

/** A request body as Kong gives it: its bytes, or the file that Kong buffered it in. */
export interface Body {
	content?: Buffer;
	body_filepath?: string;
}

/**
 * Hashes a request body, and never reads more of it than is allowed.
 *
 * @returns undefined when Kong could not read it
 * @throws {Refusal} when the file cannot be read: it is Kong's own, and so must be this process
 */
export async function digestOf(
	{ content, body_filepath: path }: Body,
	maxBytes: number,
): Promise<BodyDigest | undefined> {
	if (path !== undefined) return await digestOfFile(path, maxBytes);
	if (!content) return undefined;
	if (content.length > maxBytes) return { tooLarge: true };
	return { sha256: hash("sha256", content, "base64") };
}

async function digestOfFile(
	path: string,
	maxBytes: number,
): Promise<BodyDigest> {
	const sha256 = createHash("sha256");
	let read = 0;
	try {
		const file = await open(path);
		try {
			const { size } = await file.stat();
			if (size > maxBytes) return { tooLarge: true };
			const piece = Buffer.allocUnsafe(Math.min(PIECE, size + 1));
			for (;;) {
				const { bytesRead } = await file.read(piece);
				if (bytesRead === 0) break;
				read += bytesRead;
				if (read > maxBytes) return { tooLarge: true };
				sha256.update(piece.subarray(0, bytesRead));
			}
		} finally {
			await file.close();
		}
	} catch (error) {
		const { code = "" } = error as NodeJS.ErrnoException;
		throw refused("body_file", { code });
	}
	return { sha256: sha256.digest("base64") };
}
