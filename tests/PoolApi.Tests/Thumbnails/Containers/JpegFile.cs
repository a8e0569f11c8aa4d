namespace PoolApi.Tests.Thumbnails.Containers;

/// <summary>JPEGs written marker by marker.</summary>
internal static class JpegFile
{
    /// <summary>
    /// A progressive JPEG of one colour: one scan of DC coefficients, all zero, and further scans of the AC coefficients of the first component, all empty.
    /// An empty scan takes some hundred bytes, and the decoder visits every block for it. It is grey if <paramref name="chroma"/> is 0; else it has two
    /// chroma components, subsampled in both directions by <paramref name="chroma"/>.
    /// </summary>
    public static byte[] Progressive(int width, int height, int scans, int chroma = 0)
    {
        int sampling = Math.Max(1, chroma);
        int components = chroma == 0 ? 1 : 3;
        int units = Units(width, sampling) * Units(height, sampling) * (sampling * sampling + components - 1);
        ByteWriter jpeg = Start(width, height, frame: 0xC2, components, sampling);
        Scan(jpeg, components, first: 0, last: 0, new byte[(units + 7) / 8]);
        byte[] empty = EndOfBandRuns(Units(width, 1) * Units(height, 1));
        for (int scan = 1; scan < scans; scan++) Scan(jpeg, components: 1, first: 1, last: 63, empty);
        return jpeg.U16(0xFFD9).ToArray();

        static int Units(int length, int sampling) => (length + 8 * sampling - 1) / (8 * sampling);
    }

    /// <summary>A baseline JPEG with further markers after the first one.</summary>
    public static byte[] WithMarkers(byte[] jpeg, int marker, int count, ReadOnlySpan<byte> payload = default)
    {
        var with = new ByteWriter().Raw(jpeg.AsSpan(0, 2));
        for (int n = 0; n < count; n++) with.U16(marker).U16(payload.Length + 2).Raw(payload);
        return with.Raw(jpeg.AsSpan(2)).ToArray();
    }

    private static ByteWriter Start(int width, int height, int frame, int components, int sampling)
    {
        var jpeg = new ByteWriter().U16(0xFFD8);
        jpeg.U16(0xFFDB).U16(67).U8(0);
        for (int n = 0; n < 64; n++) jpeg.U8(1);
        jpeg.U16(0xFF00 | frame).U16(8 + 3 * components).U8(8).U16(height).U16(width).U8(components);
        for (int n = 1; n <= components; n++) jpeg.U8(n).U8(n == 1 ? sampling << 4 | sampling : 0x11).U8(0);
        // DC: the category 0 has the code 0. AC: a run of 16384 to 32767 empty blocks has the code 0, one empty block has 10.
        HuffmanTable(jpeg, 0x00, [1], [0]);
        HuffmanTable(jpeg, 0x10, [1, 1], [0xE0, 0x00]);
        return jpeg;
    }

    private static void HuffmanTable(ByteWriter jpeg, int id, ReadOnlySpan<byte> counts, ReadOnlySpan<byte> symbols)
    {
        jpeg.U16(0xFFC4).U16(2 + 17 + symbols.Length).U8(id).Raw(counts);
        for (int n = counts.Length; n < 16; n++) jpeg.U8(0);
        jpeg.Raw(symbols);
    }

    private static void Scan(ByteWriter jpeg, int components, int first, int last, ReadOnlySpan<byte> data)
    {
        jpeg.U16(0xFFDA).U16(6 + 2 * components).U8(components);
        for (int n = 1; n <= components; n++) jpeg.U8(n).U8(0);
        jpeg.U8(first).U8(last).U8(0).Raw(data);
    }

    private static byte[] EndOfBandRuns(int blocks)
    {
        var bits = new List<bool>();
        while (blocks > 0)
        {
            if (blocks >= 16384)
            {
                // The code, then the run in 14 bits above 16384.
                int run = Math.Min(blocks, 32767);
                bits.Add(false);
                for (int bit = 13; bit >= 0; bit--) bits.Add(((run - 16384) >> bit & 1) == 1);
                blocks -= run;
            }
            else
            {
                bits.Add(true);
                bits.Add(false);
                blocks--;
            }
        }
        var bytes = new ByteWriter();
        for (int at = 0; at < bits.Count; at += 8)
        {
            int value = 0;
            for (int bit = 0; bit < 8; bit++) value = value << 1 | (at + bit >= bits.Count || bits[at + bit] ? 1 : 0);
            bytes.U8(value);
            if (value == 0xFF) bytes.U8(0);
        }
        return bytes.ToArray();
    }
}
