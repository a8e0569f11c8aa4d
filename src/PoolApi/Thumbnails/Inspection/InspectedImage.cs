using PoolApi.Thumbnails.Colours;

namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// An image and the results of one walk over its container: its cost, whether it is refused, and the parts that the decoder needs. The request is refused
/// by it before the queue, and the worker uses it to decode. Immutable; inspecting allocates little, except for the item tables of an AVIF.
/// </summary>
internal sealed class InspectedImage
{
    // The image, and the buffers that it outgrew while it was read.
    private const double OutgrownFactor = 4.0 / 3;

    private readonly ReadOnlyMemory<byte> _image;
    private readonly int _neededLength;

    private InspectedImage(ReadOnlyMemory<byte> image, ImageKind kind, DecodeLimits limits)
    {
        _image = image;
        Kind = kind;
        Limits = limits;
        var counted = new Excerpt();
        DecodeCost cost = ImageInspection.Walk(image.Span, kind, limits, ref counted);
        Frame = counted.Frame is { IsWhole: false, IsInside: true } frame ? frame : null;
        Colours = counted.Colours;
        _neededLength = counted.IsWorthCopying && counted.Length > 0 ? counted.Length : 0;
        Cost = cost == DecodeCost.Unknown ? cost : cost with { HeldBytes = image.Length * OutgrownFactor + _neededLength };
        Refusal = Cost.Refusal(limits);
    }

    /// <summary>The encoding.</summary>
    public ImageKind Kind { get; }

    /// <summary>The limits of its cost.</summary>
    public DecodeLimits Limits { get; }

    /// <summary>The estimated cost of decoding it.</summary>
    public DecodeCost Cost { get; }

    /// <summary>The reason for refusing the image, in words for the client; <see langword="null"/> if it is accepted.</summary>
    public string? Refusal { get; }

    /// <summary>The area of the first frame of an animation, if it does not cover the canvas.</summary>
    public FrameArea? Frame { get; }

    /// <summary>The code points of the picture's colours, if the container has them.</summary>
    public CodePoints? Colours { get; }

    /// <summary>Inspects an image.</summary>
    public static InspectedImage Inspect(ReadOnlyMemory<byte> image, ImageKind kind, DecodeLimits limits) => new(image, kind, limits);

    /// <summary>The bytes for the decoder: the image itself, or a copy of the parts that its picture needs if that is worth it.</summary>
    public ReadOnlyMemory<byte> ReadNeeded()
    {
        if (_neededLength == 0) return _image;

        byte[] needed = new byte[_neededLength];
        var excerpt = new Excerpt(needed);
        ImageInspection.Walk(_image.Span, Kind, Limits, ref excerpt);
        return needed;
    }
}
