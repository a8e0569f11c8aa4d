namespace PoolApi.Thumbnails.Avif;

/// <summary>Reads consecutive numbers. Beyond the end they are 0, and the reader is empty.</summary>
internal ref struct BigEndianReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _left = bytes;

    public readonly bool IsEmpty => _left.IsEmpty;

    /// <summary>A number of 0 to 8 bytes.</summary>
    public ulong Number(int size)
    {
        if (_left.Length < size)
        {
            _left = default;
            return 0;
        }

        ulong number = 0;
        foreach (byte value in _left[..size]) number = number << 8 | value;
        _left = _left[size..];
        return number;
    }
}
