/* The page of tiles (adu-examples/tiles/page.c) with a canvas of ours: its script draws a feed, which comes in pieces
 * of every length, and what is on each canvas in the end is the image.
 *
 *	node tests/tiles_page.js PAGE FEED IMAGE.ppm	what GET / and GET /tiles said, headers included */
'use strict';
const assert = require('assert'), fs = require('fs'), vm = require('vm');

const body = (file) => {
	const all = fs.readFileSync(file);
	return all.subarray(all.indexOf('\r\n\r\n') + 4);
};
const script = body(process.argv[2]).toString().match(/<script>\n([^]*)<\/script>/)[1];
const feed = body(process.argv[3]);
const ppm = fs.readFileSync(process.argv[4]);
const [head, width, height] = ppm.toString('latin1').match(/^P6\n(\d+) (\d+)\n255\n/);
const pixels = ppm.subarray(head.length);

class ImageData {
	constructor(w, h) {
		assert(Number.isInteger(w) && Number.isInteger(h) && w > 0 && h > 0);
		Object.assign(this, { width: w, height: h, data: new Uint8ClampedArray(w * h * 4) });
	}
}

/* Of a canvas what the page uses, without smoothing. */
class Canvas {
	constructor(w, h) {
		Object.assign(this, { width: w, height: h, drawn: 0 });
	}
	getContext() {
		this.image ??= new ImageData(this.width, this.height);
		return this;
	}
	putImageData(image, x, y) {
		assert(x === 0 && y === 0 && image.width === this.width && image.height === this.height);
		this.image = image;
	}
	drawImage(from, sx, sy, sw, sh, dx, dy, dw, dh) {
		this.drawn++;
		for (let y = 0; y < dh && dy + y < this.height; y++)
			for (let x = 0; x < dw && dx + x < this.width; x++) {
				const u = Math.floor(sx + (x + 0.5) * sw / dw), v = Math.floor(sy + (y + 0.5) * sh / dh);
				if (u >= from.width || v >= from.height)
					continue;
				const at = (v * from.width + u) * 4, pixel = from.image.data.subarray(at, at + 4);
				assert(pixel[3] === 255);
				this.image.data.set(pixel, ((dy + y) * this.width + dx + x) * 4);
			}
	}
}

/* What the page has put into its figures, in their order. */
function run(search) {
	const figures = [];
	let at = 0, n = 0;
	const element = (name) => name === 'canvas' ? new Canvas(0, 0)
		: { style: {}, children: [], append(...more) { this.children.push(...more); } };
	const document = { createElement: element, body: { style: {}, append: (f) => figures.push(f) } };
	const read = async () => {
		const value = feed.subarray(at, at += 1 + n++ * 7919 % 5000);
		return { done: !value.length, value };
	};
	const fetch = async (path) => {
		assert.strictEqual(path, '/tiles');
		return { body: { getReader: () => ({ read }) } };
	};
	const context = vm.createContext({ document, fetch, location: { search }, URLSearchParams, ImageData, TextDecoder,
		OffscreenCanvas: Canvas });

	vm.runInContext(script, context);
	return new Promise((done) => setTimeout(() => done(figures.sort((a, b) => a.style.order - b.style.order)), 0))
		.then(async (f) => {
			while (at < feed.length)
				await null;
			for (let i = 0; i < 10; i++)
				await null;
			return f;
		});
}

(async () => {
	const titles = [/over holes: .* 100 % of the picture sharp$/, /in order: .* 100 % of the picture sharp$/];
	const all = await run('');

	assert.strictEqual(all.length, 2);
	all.forEach((figure, i) => {
		const [said, canvas] = figure.children;
		assert.match(said.textContent, titles[i]);
		assert(canvas.width === Number(width) && canvas.height === Number(height));
		assert.strictEqual(canvas.imageSmoothingEnabled, false);
		for (let k = 0; k < width * height; k++)
			for (let c = 0; c < 3; c++)
				assert.strictEqual(canvas.image.data[4 * k + c], pixels[3 * k + c], `${titles[i]}: pixel ${k}`);
	});
	/* At the beginning there was nothing but what came in the first millisecond. */
	for (const figure of await run('?at=-1')) {
		assert.match(figure.children[0].textContent, / 0 tiles, 0 % of the picture sharp$/);
		assert.strictEqual(figure.children[1].drawn, 0);
	}
})();
