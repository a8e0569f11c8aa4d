using PoolApi.Thumbnails.Colours;

namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// An image with what one walk over its container found: whether it may be decoded, and what of it the decoder needs to see. The
/// request is refused by it before the queue, and the worker goes on with it.
/// </summary>
internal sealed class InspectedImage
{
    private readonly ReadOnlyMemory<byte> _image;
    private readonly int _neededLength;

    private InspectedImage(ReadOnlyMemory<byte> image, ImageKind kind, DecodeLimits limits)
    {
        _image = image;
        Kind = kind;
        Limits = limits;
        var counted = new Excerpt();
        Cost = ImageInspection.Walk(image.Span, kind, ref counted);
        Refusal = Cost.Refusal(limits);
        Frame = counted.Frame is { IsWhole: false, IsInside: true } frame ? frame : null;
        Colours = counted.Colours;
        _neededLength = counted.IsWorthCopying && counted.Length > 0 ? counted.Length : 0;
    }

    /// <summary>The encoding.</summary>
    public ImageKind Kind { get; }

    /// <summary>What it may cost.</summary>
    public DecodeLimits Limits { get; }

    /// <summary>What decoding it takes.</summary>
    public DecodeCost Cost { get; }

    /// <summary>Why the image is not decoded, in words for the client; <see langword="null"/> if it may be.</summary>
    public string? Refusal { get; }

    /// <summary>Where the first frame of an animation lies, if it leaves a part of the canvas uncovered.</summary>
    public FrameArea? Frame { get; }

    /// <summary>Which colours the picture has, if the container says so by code points.</summary>
    public CodePoints? Colours { get; }

    /// <summary>Walks over the container of an image.</summary>
    public static InspectedImage Inspect(ReadOnlyMemory<byte> image, ImageKind kind, DecodeLimits limits) => new(image, kind, limits);

    /// <summary>What the decoder is to see: the image itself, or, where that is worth it, a copy of what its picture needs.</summary>
    public ReadOnlyMemory<byte> ReadNeeded()
    {
        if (_neededLength == 0) return _image;

        byte[] needed = new byte[_neededLength];
        var excerpt = new Excerpt(needed);
        ImageInspection.Walk(_image.Span, Kind, ref excerpt);
        return needed;
    }
}
