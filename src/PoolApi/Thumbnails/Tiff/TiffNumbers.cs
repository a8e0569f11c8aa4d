namespace PoolApi.Thumbnails.Tiff;

/// <summary>The whole numbers of one tag, where they lie in the file.</summary>
internal readonly ref struct TiffNumbers
{
    private readonly ReadOnlySpan<byte> _values;
    private readonly int _size;
    private readonly bool _bigEndian;

    public TiffNumbers(ReadOnlySpan<byte> values, int size, bool bigEndian)
    {
        _values = values;
        _size = size;
        _bigEndian = bigEndian;
    }

    /// <summary>How many there are.</summary>
    public int Count => _size == 0 ? 0 : _values.Length / _size;

    /// <summary>One of them. What does not fit is as large as can be: no such offset or size is within any file.</summary>
    public long this[int index] =>
        (long)Math.Min(TiffDirectory.Unsigned(_values.Slice(index * _size, _size), _bigEndian), long.MaxValue);

    /// <summary>Whether all of them are the same.</summary>
    public bool AreEqual()
    {
        for (var i = 1; i < Count; i++)
        {
            if (this[i] != this[0])
                return false;
        }
        return true;
    }
}
