namespace PoolApi.Tests.Thumbnails.Containers;

/// <summary>JPEGs written marker by marker.</summary>
internal static class JpegFile
{
    /// <summary>
    /// A grey progressive JPEG: one scan of DC coefficients, all zero, and further scans of AC coefficients, all empty.
    /// An empty scan takes some hundred bytes, and the decoder visits every block for it.
    /// </summary>
    public static byte[] Progressive(int width, int height, int scans)
    {
        int blocks = (width + 7) / 8 * ((height + 7) / 8);
        ByteWriter jpeg = Start(width, height, frame: 0xC2);
        Scan(jpeg, first: 0, last: 0, new byte[(blocks + 7) / 8]);
        byte[] empty = EndOfBandRuns(blocks);
        for (int scan = 1; scan < scans; scan++) Scan(jpeg, first: 1, last: 63, empty);
        return jpeg.U16(0xFFD9).ToArray();
    }

    /// <summary>A baseline JPEG with further markers after the first one.</summary>
    public static byte[] WithMarkers(byte[] jpeg, int marker, int count, ReadOnlySpan<byte> payload = default)
    {
        var with = new ByteWriter().Raw(jpeg.AsSpan(0, 2));
        for (int n = 0; n < count; n++) with.U16(marker).U16(payload.Length + 2).Raw(payload);
        return with.Raw(jpeg.AsSpan(2)).ToArray();
    }

    private static ByteWriter Start(int width, int height, int frame)
    {
        var jpeg = new ByteWriter().U16(0xFFD8);
        jpeg.U16(0xFFDB).U16(67).U8(0);
        for (int n = 0; n < 64; n++) jpeg.U8(1);
        jpeg.U16(0xFF00 | frame).U16(11).U8(8).U16(height).U16(width).U8(1).U8(1).U8(0x11).U8(0);
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

    private static void Scan(ByteWriter jpeg, int first, int last, ReadOnlySpan<byte> data) =>
        jpeg.U16(0xFFDA).U16(8).U8(1).U8(1).U8(0).U8(first).U8(last).U8(0).Raw(data);

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
