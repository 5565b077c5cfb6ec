/** Returns the known name that a misspelt name most likely means; nothing when none is near. */
export function mostSimilar(
	name: string,
	known: readonly string[],
): string | undefined {
	const wanted = folded(name);
	// Nothing longer is a name that somebody typed.
	if (wanted.length < 2 || name.length > 64) return undefined;
	const ranked = known
		.filter((other) => other !== name)
		.map((other) => ({ other, distance: distance(wanted, folded(other)) }))
		.filter(({ distance }) => distance <= Math.min(2, wanted.length / 3))
		.sort((a, b) => a.distance - b.distance);
	return ranked[0]?.other;
}

/** Letters and digits alone: `privateJwk`, `private-jwk` and `Private_JWK` are one name. */
function folded(name: string): string {
	return name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
}

/** How many letters are missing, added, replaced, or swapped with their neighbour. */
function distance(a: string, b: string): number {
	if (Math.abs(a.length - b.length) > 2) return Number.POSITIVE_INFINITY;
	let beforeLast: number[] = [];
	let last = Array.from({ length: b.length + 1 }, (_, j) => j);
	for (let i = 1; i <= a.length; i++) {
		const row = [i];
		for (let j = 1; j <= b.length; j++) {
			const cost = a[i - 1] === b[j - 1] ? 0 : 1;
			const isSwap = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
			row[j] = Math.min(
				at(row, j - 1) + 1,
				at(last, j) + 1,
				at(last, j - 1) + cost,
				isSwap ? at(beforeLast, j - 2) + 1 : Number.POSITIVE_INFINITY,
			);
		}
		beforeLast = last;
		last = row;
	}
	return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
	return row[index] ?? Number.POSITIVE_INFINITY;
}
