using PoolApi.Thumbnails.Colours;

namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// Collects the parts of a container that its picture needs. A walk keeps and drops pieces from start to end. It runs without a target first, to count,
/// and then, if the excerpt is worth a copy, again with a target of the counted length. Allocates nothing.
/// </summary>
internal ref struct Excerpt(Span<byte> target)
{
    // Below these limits decoding the whole is cheaper than a copy.
    private const int WorthBytes = 64 * 1024;
    private const int WorthPieces = 64;

    private readonly Span<byte> _target = target;
    private readonly bool _copies = !target.IsEmpty;
    private int _droppedPieces;
    private int _droppedBytes;
    private bool _mustApply;

    /// <summary>The number of bytes that were kept.</summary>
    public int Length { get; private set; }

    /// <summary>The area of the first frame of an animation.</summary>
    public FrameArea? Frame { get; set; }

    /// <summary>The code points of the picture's colours, if the container has them.</summary>
    public CodePoints? Colours { get; set; }

    /// <summary>Whether a piece was dropped.</summary>
    public readonly bool HasDropped => _droppedPieces > 0;

    /// <summary>Whether the decoder should get the excerpt instead of the whole.</summary>
    public readonly bool IsWorthCopying => _mustApply || _droppedBytes > WorthBytes || _droppedPieces > WorthPieces;

    public void Keep(scoped ReadOnlySpan<byte> bytes)
    {
        if (_copies) bytes.CopyTo(_target[Length..]);
        Length += bytes.Length;
    }

    public void Drop(int length)
    {
        _droppedPieces++;
        _droppedBytes += length;
    }

    /// <summary>Drops a piece that the decoder must not see, however short it is.</summary>
    public void DropAlways(int length)
    {
        Drop(length);
        _mustApply |= length > 0;
    }

    /// <summary>Overwrites bytes that were kept.</summary>
    public void Patch(int at, scoped ReadOnlySpan<byte> bytes)
    {
        _mustApply = true;
        if (_copies) bytes.CopyTo(_target[at..]);
    }
}
