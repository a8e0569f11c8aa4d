using System.Runtime.InteropServices;
using NetVips;
using PoolApi.Thumbnails.Avif;
using PoolApi.Thumbnails.Colours;
using PoolApi.Thumbnails.Inspection;
using PoolApi.Thumbnails.Jpeg;
using PoolApi.Thumbnails.Tiff;

namespace PoolApi.Thumbnails;

/// <summary>
/// Opens a client's image with libvips, and handles what each encoding needs before and during decoding. It refuses files that libvips would decode to
/// a wrong picture. Opening copies the image only where its bytes must change; decoding costs what <see cref="DecodeCost"/> estimates. Used by one worker.
/// </summary>
internal sealed class ImageReader : IDisposable
{
    private const Enums.Access TopToBottom = Enums.Access.Sequential;

    private readonly Source _source;
    private readonly ImageKind _kind;
    private readonly TiffLayout? _tiff;
    private readonly bool _isInterlacedPng;
    private readonly bool _isCompletedJpeg;
    private readonly FrameArea? _frame;
    private readonly CodePoints? _colours;

    private ImageReader(InspectedImage inspected)
    {
        var image = inspected.ReadNeeded();
        _kind = inspected.Kind;
        _frame = inspected.Frame;
        _colours = inspected.Colours;
        switch (_kind)
        {
            case ImageKind.Jpeg:
                image = JpegEnd.Complete(image, out _isCompletedJpeg);
                break;
            case ImageKind.Tiff:
                (_tiff, image) = ReadTiff(image);
                break;
            case ImageKind.Png:
                _isInterlacedPng = IsInterlaced(image.Span);
                break;
            case ImageKind.Avif:
                var original = image;
                image = Av1Levels.Replace(original);
                if (!image.Equals(original))
                    Undecodable = "the AVIF is of a reserved AV1 level, in a form that the decoder here does not read, or it is corrupt";
                break;
        }

        _source = MemoryMarshal.TryGetArray(image, out var array) && array.Offset == 0 && array.Count == array.Array!.Length
            ? Source.NewFromMemory(array.Array)
            : Source.NewFromMemory(image.Span);
    }

    /// <summary>The reason for the client if decoding fails. libvips' own message names functions and offsets.</summary>
    public string Undecodable { get; } = "the image is truncated, corrupt, or of a variant that cannot be decoded";

    /// <summary>Opens an image. Nothing is decoded yet.</summary>
    /// <exception cref="UnprocessableImageException">The image is of a variant that is not supported, or parts of it are missing.</exception>
    public static ImageReader Open(InspectedImage image) => new(image);

    /// <summary>
    /// Starts decoding. It reads only the header; pixels are decoded on demand, from top to bottom, with a few lines in memory if the format allows. Each
    /// call creates a decoder.
    /// </summary>
    public Image Load(double shrink)
    {
        // Loaders are called by name, not chosen by libvips, so that no other loader sees untrusted bytes. Loaders that decode the whole image at once do
        // so in memory; by default libvips uses a temporary file for more than 100 MiB.
        const Enums.FailOn Faults = Enums.FailOn.Error;
        return _kind switch
        {
            ImageKind.Jpeg => Image.JpegloadSource(_source, shrink: JpegShrink(shrink), access: TopToBottom, failOn: _isCompletedJpeg ? Enums.FailOn.Warning : Faults),
            ImageKind.Webp when _frame is { } frame => PlaceOnCanvas(Image.WebploadSource(_source, memory: true, access: TopToBottom, failOn: Faults), frame),
            ImageKind.Webp => Image.WebploadSource(_source, scale: 1 / shrink, memory: true, access: TopToBottom, failOn: Faults),
            ImageKind.Png => Tag(Image.PngloadSource(_source, memory: _isInterlacedPng, access: TopToBottom, failOn: Faults)),
            ImageKind.Gif when _frame is { } frame => PlaceOnCanvas(Image.GifloadSource(_source, access: TopToBottom, failOn: Faults), frame),
            ImageKind.Gif => Image.GifloadSource(_source, access: TopToBottom, failOn: Faults),
            ImageKind.Tiff => LoadTiff(_tiff!),
            ImageKind.Avif => Tag(Image.HeifloadSource(_source, access: TopToBottom, failOn: Faults)),
            _ => throw new InvalidOperationException($"{_kind} is not an image kind"),
        };
    }

    public void Dispose() => _source.Dispose();

    // libjpeg shrinks coarsely, so at least a factor of two is left to the resampling.
    private static int JpegShrink(double shrink) => shrink switch
    {
        >= 16 => 8,
        >= 8 => 4,
        >= 4 => 2,
        _ => 1,
    };

    // The last byte of the header, which is the first chunk.
    private static bool IsInterlaced(ReadOnlySpan<byte> png) => png.Length > 28 && png[28] != 0;

    private static (TiffLayout Layout, ReadOnlyMemory<byte> File) ReadTiff(ReadOnlyMemory<byte> file)
    {
        if (!TiffDirectory.TryRead(file.Span, out var directory))
            throw new UnprocessableImageException("the TIFF's first directory lies beyond the end of the file");

        var layout = TiffLayout.Read(directory);
        TiffBlocks.Check(file.Span, directory, layout);
        return (layout, layout.IsByteLab ? ByteLab.ReadAsRgb(file, directory) : file);
    }

    // The decoders return the whole canvas, and fill with black what the first frame of an opaque animation does not cover.
    private static Image PlaceOnCanvas(Image canvas, FrameArea frame)
    {
        using (canvas)
        {
            using var covered = canvas.Crop(frame.Left, frame.Top, frame.Width, frame.Height);
            using var withAlpha = covered.HasAlpha() ? covered.Copy() : covered.Bandjoin(255);
            return withAlpha.Embed(
                frame.Left, frame.Top, canvas.Width, canvas.Height, extend: Enums.Extend.Background, background: new double[withAlpha.Bands]);
        }
    }

    // libvips evaluates profiles but no code points. In a PNG the code points take precedence over a profile, in an AVIF the profile does.
    private Image Tag(Image image)
    {
        const string Profile = "icc-profile-data";
        bool hasProfile = image.Contains(Profile);
        if (_colours is not { } colours || _kind == ImageKind.Avif && hasProfile) return image;

        byte[]? profile = colours.ToProfile(isGrey: image.Bands < 3);
        if (profile is null && !(colours.IsSrgb && hasProfile)) return image;
        using (image)
        {
            return image.Mutate(copy =>
            {
                if (profile is null) copy.Remove(Profile);
                else copy.Set(GValue.BlobType, Profile, profile);
            });
        }
    }

    private Image LoadTiff(TiffLayout layout)
    {
        // Unless warnings count as errors, libvips ignores an error in a tile and leaves its pixels black. It does not ignore errors in strips, and there a tag
        // that libtiff does not know would fail too. A fax line that does not decode is only a warning; for a fax the inspection has removed unknown tags.
        var faults = layout.IsTiled || layout.IsFax ? Enums.FailOn.Warning : Enums.FailOn.Error;
        var image = Image.TiffloadSource(_source, access: TopToBottom, failOn: faults);
        if (layout.YCbCr is null && !layout.IsByteLab)
            return image;
        using (image)
        {
            return layout.YCbCr is null ? ByteLab.ToLab(image) : layout.YCbCr.ToRgb(image);
        }
    }
}
