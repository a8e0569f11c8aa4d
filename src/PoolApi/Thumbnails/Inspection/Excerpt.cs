using PoolApi.Thumbnails.Colours;

namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// The part of a container that its picture needs. A walk keeps and drops pieces from the front to the back. It runs twice: first
/// without a target, to count, and then, if the excerpt is worth a copy, with a target of the counted length. Allocates nothing.
/// </summary>
internal ref struct Excerpt(Span<byte> target)
{
    // Less than this is cheaper to read than to cut out.
    private const int WorthBytes = 64 * 1024;
    private const int WorthPieces = 64;

    private readonly Span<byte> _target = target;
    private readonly bool _copies = !target.IsEmpty;
    private int _droppedPieces;
    private int _droppedBytes;
    private bool _mustApply;

    /// <summary>How many bytes were kept.</summary>
    public int Length { get; private set; }

    /// <summary>Where the first frame of an animation lies.</summary>
    public FrameArea? Frame { get; set; }

    /// <summary>Which colours the picture has, if the container says so by code points.</summary>
    public CodePoints? Colours { get; set; }

    /// <summary>Whether the decoder is to see the excerpt in place of the whole.</summary>
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

    /// <summary>Leaves out what must never be decoded, or what is there for later pictures, however short it is.</summary>
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
