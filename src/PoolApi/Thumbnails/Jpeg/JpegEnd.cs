using System.Buffers.Binary;

namespace PoolApi.Thumbnails.Jpeg;

/// <summary>Appends the end marker to a JPEG that has all pixels but no marker.</summary>
/// <remarks>
/// Cameras, and servers that end a transfer early, leave such files. The decoder reads beyond the last pixel, so it cannot distinguish them from a
/// truncated picture. This walk can: it counts the blocks of sequential scans, symbol by symbol without computing a pixel (ITU-T T.81, annex F.2),
/// and checks that progressive scans refine every coefficient to its last bit. Only files without the marker are walked.
/// </remarks>
internal static class JpegEnd
{
    private static readonly byte[] Marker = [0xFF, Codes.EndOfImage];

    /// <summary>Returns the image with an end marker. An image that has one, or is incomplete, is returned as it is.</summary>
    /// <param name="image">The image.</param>
    /// <param name="isCompleted">
    /// Whether the marker was added. Then the decoder must treat warnings as errors, because it only warns if the marker comes too early.
    /// </param>
    public static ReadOnlyMemory<byte> Complete(ReadOnlyMemory<byte> image, out bool isCompleted)
    {
        isCompleted = !image.Span.EndsWith(Marker) && new Walk(image.Span).EndsWithItsLastPixel();
        if (!isCompleted) return image;
        // An incomplete marker is not part of the picture.
        ReadOnlySpan<byte> whole = image.Span[^1] == 0xFF ? image.Span[..^1] : image.Span;
        return (byte[])[.. whole, .. Marker];
    }

    private static class Codes
    {
        public const byte
            Sequential = 0xC0, ExtendedSequential = 0xC1, Progressive = 0xC2, HuffmanTables = 0xC4, FirstRestart = 0xD0, LastRestart = 0xD7,
            StartOfImage = 0xD8, EndOfImage = 0xD9, StartOfScan = 0xDA, RestartInterval = 0xDD;
    }

    private ref struct Walk(ReadOnlySpan<byte> image)
    {
        private readonly ReadOnlySpan<byte> _image = image;
        private readonly HuffmanTable?[] _tables = new HuffmanTable?[8]; // four for DC, four for AC
        private Component[] _components = [];
        private bool _isProgressive;
        private int _width, _height, _restartInterval;
        private int _at = 2;

        /// <summary>Whether the bytes end behind the last pixel, without an end marker.</summary>
        public bool EndsWithItsLastPixel()
        {
            while (_at + 4 <= _image.Length)
            {
                if (_image[_at] != 0xFF) return false;
                byte code = _image[_at + 1];
                if (code == 0xFF)
                {
                    _at++; // a fill byte
                    continue;
                }
                if (code == Codes.EndOfImage) return false;
                int length = BinaryPrimitives.ReadUInt16BigEndian(_image[(_at + 2)..]);
                if (length < 2 || _at + 2 + length > _image.Length) return false;
                ReadOnlySpan<byte> segment = _image.Slice(_at + 4, length - 2);
                _at += 2 + length;
                if (!Read(code, segment)) return false;
            }
            // At most the first byte of a marker is left.
            return _image.Length - _at <= 1 && _components.Length > 0 && Array.TrueForAll(_components, static c => c.IsComplete);
        }

        private bool Read(byte code, ReadOnlySpan<byte> segment) => code switch
        {
            Codes.Sequential or Codes.ExtendedSequential or Codes.Progressive => ReadFrame(code, segment),
            Codes.HuffmanTables => ReadTables(segment),
            Codes.RestartInterval => ReadRestartInterval(segment),
            Codes.StartOfScan => ReadScan(segment),
            // The decoder does not support lossless, hierarchical and arithmetic coding. C8 and CC are not frames.
            >= 0xC3 and <= 0xCF and not 0xC8 and not 0xCC => false,
            _ => true,
        };

        private bool ReadFrame(byte code, ReadOnlySpan<byte> segment)
        {
            if (_components.Length > 0 || segment.Length < 6 || segment[0] != 8 || segment.Length != 6 + (3 * segment[5])) return false;
            _isProgressive = code == Codes.Progressive;
            _height = BinaryPrimitives.ReadUInt16BigEndian(segment[1..]);
            _width = BinaryPrimitives.ReadUInt16BigEndian(segment[3..]);
            _components = new Component[segment[5]];
            for (int i = 0; i < _components.Length; i++)
            {
                ReadOnlySpan<byte> of = segment.Slice(6 + (3 * i), 3);
                _components[i] = new Component(of[0], of[1] >> 4, of[1] & 15);
                if (of[1] >> 4 is < 1 or > 4 || (of[1] & 15) is < 1 or > 4) return false;
            }
            return _width > 0 && _height > 0;
        }

        private readonly bool ReadTables(ReadOnlySpan<byte> segment)
        {
            while (segment.Length >= 17)
            {
                int kind = segment[0] >> 4, number = segment[0] & 15, symbols = 0;
                foreach (byte count in segment[1..17]) symbols += count;
                if (kind > 1 || number > 3 || symbols > 256 || segment.Length < 17 + symbols) return false;
                (_tables[(kind * 4) + number] ??= new HuffmanTable()).Read(segment[1..17], segment.Slice(17, symbols));
                segment = segment[(17 + symbols)..];
            }
            return segment.IsEmpty;
        }

        private bool ReadRestartInterval(ReadOnlySpan<byte> segment)
        {
            if (segment.Length != 2) return false;
            _restartInterval = BinaryPrimitives.ReadUInt16BigEndian(segment);
            return true;
        }

        private bool ReadScan(ReadOnlySpan<byte> segment)
        {
            if (segment.Length < 1 || segment[0] is < 1 or > 4 || segment.Length != 4 + (2 * segment[0])) return false;
            var scanned = new (Component Component, byte Tables)[segment[0]];
            for (int i = 0; i < scanned.Length; i++)
            {
                byte id = segment[1 + (2 * i)];
                if (Array.Find(_components, c => c.Id == id) is not { } component) return false;
                scanned[i] = (component, segment[2 + (2 * i)]);
            }
            int first = segment[^3], last = segment[^2], low = segment[^1] & 15;
            if (!_isProgressive) return SkipBlocks(scanned);

            if (first > last || last > 63) return false;
            foreach (var (component, _) in scanned) component.Refined(first, last, low);
            SkipToMarker();
            return true;
        }

        /// <summary>Reads the scan to its last block.</summary>
        private bool SkipBlocks((Component Component, byte Tables)[] scanned)
        {
            int across = 0, down = 0;
            foreach (Component component in _components)
            {
                across = Math.Max(across, component.Across);
                down = Math.Max(down, component.Down);
            }
            long units;
            if (scanned.Length == 1)
            {
                // A scan of one component has only that component's own blocks, without the ones that fill a unit of all components.
                Component only = scanned[0].Component;
                units = (long)Blocks(_width, only.Across, across) * Blocks(_height, only.Down, down);
            }
            else
            {
                units = (long)Units(_width, across) * Units(_height, down);
            }

            var bits = new BitReader(_image, _at);
            for (long unit = 0; unit < units; unit++)
            {
                if (_restartInterval > 0 && unit > 0 && unit % _restartInterval == 0 && !bits.TryRestart()) return false;
                foreach (var (component, tables) in scanned)
                {
                    if (_tables[(tables >> 4) & 3] is not { } dc || _tables[4 + (tables & 3)] is not { } ac) return false;
                    int blocks = scanned.Length == 1 ? 1 : component.Across * component.Down;
                    for (int block = 0; block < blocks; block++)
                    {
                        if (!SkipBlock(ref bits, dc, ac)) return false;
                    }
                }
            }
            foreach (var (component, _) in scanned) component.Refined(0, 63, 0);
            _at = bits.End;
            SkipToMarker();
            return true;
        }

        private static int Units(int pixels, int blocks) => (pixels + (8 * blocks) - 1) / (8 * blocks);

        private static int Blocks(int pixels, int own, int most) => ((((pixels * own) + most - 1) / most) + 7) / 8;

        private static bool SkipBlock(ref BitReader bits, HuffmanTable dc, HuffmanTable ac)
        {
            if (!bits.TryDecode(dc, out int size) || !bits.TrySkip(size)) return false;
            for (int k = 1; k < 64; k++)
            {
                if (!bits.TryDecode(ac, out int symbol)) return false;
                int run = symbol >> 4;
                size = symbol & 15;
                if (size == 0 && run != 15) break; // the rest is zero
                if (!bits.TrySkip(size)) return false;
                k += run;
            }
            return true;
        }

        /// <summary>Skips the rest of a scan's data, up to the next marker that is not a restart, or the end.</summary>
        private void SkipToMarker()
        {
            while (_at < _image.Length)
            {
                int next = _image[_at..].IndexOf((byte)0xFF);
                if (next < 0)
                {
                    _at = _image.Length;
                    return;
                }
                _at += next;
                if (_at + 1 >= _image.Length) return;
                if (_image[_at + 1] is not (0 or 0xFF or (>= Codes.FirstRestart and <= Codes.LastRestart))) return;
                _at += _image[_at + 1] == 0xFF ? 1 : 2;
            }
        }
    }

    /// <summary>A component, and which of its coefficients have their last bit.</summary>
    private sealed class Component(int id, int across, int down)
    {
        private readonly bool[] _isWhole = new bool[64];

        public int Id => id;

        public int Across => across;

        public int Down => down;

        public bool IsComplete => Array.TrueForAll(_isWhole, static whole => whole);

        public void Refined(int first, int last, int low)
        {
            for (int i = first; i <= last; i++) _isWhole[i] = low == 0;
        }
    }

    /// <summary>
    /// A table of codes (ITU-T T.81, annex C). A file can replace a table as often as it likes, so reading one takes no memory, and hardly more time than
    /// its bytes: only short codes are looked up, and the others are found by the limits of their lengths.
    /// </summary>
    private sealed class HuffmanTable
    {
        private const int LongestCode = 16;
        private const int ShortCode = 8;

        private readonly ushort[] _short = new ushort[1 << ShortCode]; // 8 bits of length, 8 of the symbol; 0: no code
        private readonly byte[] _symbols = new byte[256];
        private readonly int[] _starts = new int[LongestCode + 1]; // by length: the first code, in 16 bits
        private readonly int[] _ends = new int[LongestCode + 1]; // the end of its codes, in 16 bits
        private readonly int[] _firsts = new int[LongestCode + 1]; // the place of its first symbol

        /// <summary>The symbol that 16 bits begin with, and the length of its code; 0: they begin with no code.</summary>
        public (int Length, int Symbol) this[int bits]
        {
            get
            {
                int entry = _short[bits >> (LongestCode - ShortCode)];
                if (entry != 0) return (entry >> 8, entry & 0xFF);
                for (int length = ShortCode + 1; length <= LongestCode; length++)
                {
                    if (bits < _ends[length]) return (length, _symbols[_firsts[length] + ((bits - _starts[length]) >> (LongestCode - length))]);
                }
                return (0, 0);
            }
        }

        /// <summary>Replaces the codes.</summary>
        public void Read(ReadOnlySpan<byte> counts, ReadOnlySpan<byte> symbols)
        {
            _short.AsSpan().Clear();
            symbols.CopyTo(_symbols);
            int next = 0, symbol = 0;
            for (int length = 1; length <= LongestCode; length++)
            {
                int step = LongestCode - length;
                int codes = Math.Min(counts[length - 1], ((1 << LongestCode) - next) >> step);
                (_starts[length], _firsts[length]) = (next, symbol);
                for (int code = 0; length <= ShortCode && code < codes; code++)
                {
                    _short.AsSpan((next >> ShortCode) + (code << (ShortCode - length)), 1 << (ShortCode - length))
                        .Fill((ushort)((length << 8) | symbols[symbol + code]));
                }
                symbol += codes;
                next += codes << step;
                _ends[length] = next;
            }
        }
    }

    /// <summary>The bits of a scan, without the zeros that are stuffed after each FF.</summary>
    private ref struct BitReader(ReadOnlySpan<byte> image, int at)
    {
        private readonly ReadOnlySpan<byte> _image = image;
        private int _at = at;
        private ulong _bits; // the next bits, in the lowest places
        private int _count;

        /// <summary>The position after the last byte that was taken.</summary>
        public readonly int End => _at;

        public bool TryDecode(HuffmanTable table, out int symbol)
        {
            if (_count < 16) Fill();
            // Behind the end all bits are ones, and no code consists of ones only.
            int bits = _count >= 16 ? (int)(_bits >> (_count - 16)) & 0xFFFF : (int)((_bits << (16 - _count)) | ((1UL << (16 - _count)) - 1)) & 0xFFFF;
            (int length, symbol) = table[bits];
            if (length == 0 || length > _count) return false;
            _count -= length;
            return true;
        }

        public bool TrySkip(int bits)
        {
            if (_count < bits) Fill();
            if (_count < bits) return false;
            _count -= bits;
            return true;
        }

        /// <summary>Continues after the next restart marker.</summary>
        public bool TryRestart()
        {
            _count = 0;
            while (_at + 1 < _image.Length && _image[_at] == 0xFF && _image[_at + 1] == 0xFF) _at++;
            if (_at + 1 >= _image.Length || _image[_at] != 0xFF || _image[_at + 1] is < Codes.FirstRestart or > Codes.LastRestart) return false;
            _at += 2;
            return true;
        }

        // Stops at a marker.
        private void Fill()
        {
            while (_count <= 56 && _at < _image.Length)
            {
                byte next = _image[_at];
                if (next == 0xFF)
                {
                    if (_at + 1 >= _image.Length || _image[_at + 1] != 0) return;
                    _at++;
                }
                _at++;
                _bits = (_bits << 8) | next;
                _count += 8;
            }
        }
    }
}
