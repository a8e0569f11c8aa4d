namespace PoolApi.Thumbnails.Avif;

/// <summary>Reads numbers one after the other. Past the end they are 0 and <see cref="IsPastEnd"/> is true.</summary>
internal ref struct BigEndianReader
{
    private readonly ReadOnlySpan<byte> _bytes;
    private int _at;

    public BigEndianReader(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    public bool IsPastEnd { get; private set; }

    /// <summary>A number of 0 to 8 bytes.</summary>
    public ulong Number(int size)
    {
        if (IsPastEnd || size > _bytes.Length - _at)
        {
            IsPastEnd = true;
            return 0;
        }

        ulong number = 0;
        foreach (var value in _bytes.Slice(_at, size))
        {
            number = (number << 8) | value;
        }
        _at += size;
        return number;
    }
}
