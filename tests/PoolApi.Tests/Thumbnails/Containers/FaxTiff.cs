namespace PoolApi.Tests.Thumbnails.Containers;

/// <summary>TIFFs of one bilevel page as fax machines code it: each line is 32 white pixels, then 32 black ones.</summary>
internal static class FaxTiff
{
    public const int Side = 64;

    private const string White32 = "00011011";
    private const string Black32 = "000001101010";
    private const string EndOfLine = "000000000001";

    /// <summary>Writes a page in one strip, or in one tile.</summary>
    /// <param name="compression">2: RLE; 3: Group 3; 4: Group 4; 32771: RLE, each line at an even offset.</param>
    /// <param name="twoDimensional">Whether Group 3 codes a line by the line before it.</param>
    /// <param name="tiled">Whether the page is in one tile.</param>
    /// <param name="unknownTag">Whether the page has a tag that no reader knows.</param>
    /// <param name="damage">Changes the coded lines.</param>
    public static byte[] Write(int compression, bool twoDimensional = false, bool tiled = false, bool unknownTag = false, Action<byte[]>? damage = null)
    {
        byte[] data = Lines(compression, twoDimensional);
        damage?.Invoke(data);
        TiffContainer.Entry[] place = tiled
            ? [new(322, 3, 1, Side), new(323, 3, 1, Side), new(324, 4, 1, 8), new(325, 4, 1, data.Length)]
            : [new(273, 4, 1, 8), new(277, 3, 1, 1), new(278, 3, 1, Side), new(279, 4, 1, data.Length), new(292, 4, 1, twoDimensional ? 1 : 0)];
        TiffContainer.Entry[] entries =
        [
            new(256, 3, 1, Side), new(257, 3, 1, Side), new(258, 3, 1, 1), new(259, 3, 1, compression), new(262, 3, 1, 0),
            .. place,
            .. unknownTag ? [new TiffContainer.Entry(60000, 4, 1, 7)] : Array.Empty<TiffContainer.Entry>(),
        ];
        return TiffContainer.Behind(data, entries);
    }

    private static byte[] Lines(int compression, bool twoDimensional)
    {
        var bits = new BitWriter();
        for (int line = 0; line < Side; line++)
        {
            string coded = (compression, line) switch
            {
                (2 or 32771, _) => White32 + Black32,
                (3, _) when !twoDimensional => EndOfLine + White32 + Black32,
                // Every other line is coded by itself. In the others both changes are where they are in the line before.
                (3, _) => EndOfLine + (line % 2 == 0 ? "1" + White32 + Black32 : "0" + "1" + "1"),
                (4, 0) => "001" + White32 + Black32,
                _ => "1" + "1",
            };
            bits.Write(coded);
            if (compression is 2) bits.Align(8);
            else if (compression is 32771) bits.Align(16);
        }
        if (compression == 4) bits.Write(EndOfLine + EndOfLine);
        return bits.ToArray();
    }

    private sealed class BitWriter
    {
        private readonly List<byte> _bytes = [];
        private int _count;

        public void Write(string bits)
        {
            foreach (char bit in bits)
            {
                if (_count % 8 == 0) _bytes.Add(0);
                if (bit == '1') _bytes[^1] |= (byte)(0x80 >> (_count % 8));
                _count++;
            }
        }

        public void Align(int to)
        {
            while (_count % to != 0) Write("0");
        }

        public byte[] ToArray() => [.. _bytes];
    }
}
