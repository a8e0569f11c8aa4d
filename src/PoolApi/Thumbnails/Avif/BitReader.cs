namespace PoolApi.Thumbnails.Avif;

/// <summary>Reads consecutive bit fields, the highest bit first. Beyond the end there are zeros.</summary>
internal ref struct BitReader(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    /// <summary>The number of bits read so far.</summary>
    public int At { get; private set; }

    /// <summary>A number of 0 to 32 bits.</summary>
    public long Next(int count)
    {
        long value = 0;
        for (int n = 0; n < count; n++, At++)
        {
            int index = At >> 3;
            int bit = index < _bytes.Length ? _bytes[index] >> (7 - (At & 7)) & 1 : 0;
            value = value << 1 | (long)bit;
        }
        return value;
    }

    /// <summary>One bit.</summary>
    public bool Flag() => Next(1) == 1;

    /// <summary>Skips a number of variable length: AV1, 4.10.3.</summary>
    public void SkipUvlc()
    {
        int zeros = 0;
        while (zeros < 32 && !Flag()) zeros++;
        if (zeros < 32) Next(zeros);
    }
}
