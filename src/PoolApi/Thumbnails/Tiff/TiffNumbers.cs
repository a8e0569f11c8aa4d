namespace PoolApi.Thumbnails.Tiff;

/// <summary>The whole numbers of one tag. A view of the file: copies nothing.</summary>
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

    /// <summary>The number of values.</summary>
    public int Count => _size == 0 ? 0 : _values.Length / _size;

    /// <summary>One value. A value that does not fit becomes the largest one, which is beyond the end of any file.</summary>
    public long this[int index] =>
        (long)Math.Min(TiffDirectory.Unsigned(_values.Slice(index * _size, _size), _bigEndian), long.MaxValue);

    /// <summary>Whether all values are equal.</summary>
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
