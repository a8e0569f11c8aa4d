using System.Runtime.InteropServices;
using NetVips;
using PoolApi.Thumbnails.Avif;
using PoolApi.Thumbnails.Colours;
using PoolApi.Thumbnails.Inspection;
using PoolApi.Thumbnails.Jpeg;
using PoolApi.Thumbnails.Tiff;

namespace PoolApi.Thumbnails;

/// <summary>
/// A client's image, opened for libvips: what each encoding needs before and while it is decoded. A file that libvips would decode to
/// another picture than the one it holds is refused here.
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

    /// <summary>Why the image does not decode, in words for the client; libvips' own words name functions and offsets.</summary>
    public string Undecodable { get; } = "the image is truncated, corrupt, or of a variant that cannot be decoded";

    /// <summary>Opens an image. Nothing is decoded yet.</summary>
    /// <exception cref="UnprocessableImageException">The image is of a variant that is not supported, or parts of it are missing.</exception>
    public static ImageReader Open(InspectedImage image) => new(image);

    /// <summary>
    /// Starts to decode: reads no more than the header. The pixels follow when they are asked for, top to bottom, with only a few lines
    /// in memory where the format allows. Each call has a decoder of its own.
    /// </summary>
    public Image Load(double shrink)
    {
        // By name and not by libvips' own guess, so that only the loaders listed here ever see a stranger's bytes. Loaders that decode
        // the whole image at once do so in memory: by default libvips writes what is larger than 100 MiB to a file.
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

    // libjpeg's shrinking is coarse: leave at least a factor of two to the resampling, which is not.
    private static int JpegShrink(double shrink) => shrink switch
    {
        >= 16 => 8,
        >= 8 => 4,
        >= 4 => 2,
        _ => 1,
    };

    // The last byte of the header, which comes first.
    private static bool IsInterlaced(ReadOnlySpan<byte> png) => png.Length > 28 && png[28] != 0;

    private static (TiffLayout Layout, ReadOnlyMemory<byte> File) ReadTiff(ReadOnlyMemory<byte> file)
    {
        if (!TiffDirectory.TryRead(file.Span, out var directory))
            throw new UnprocessableImageException("the TIFF's first directory lies beyond the end of the file");

        var layout = TiffLayout.Read(directory);
        TiffBlocks.Check(file.Span, directory, layout);
        return (layout, layout.IsByteLab ? ByteLab.ReadAsRgb(file, directory) : file);
    }

    // The decoders hand out the whole canvas, and make black what the first frame of an opaque animation leaves uncovered.
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

    // libvips does not read code points, but it does read profiles. In a PNG they come before a profile, in an AVIF behind one.
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
        // libvips ignores errors in a tile, and leaves its pixels black, unless warnings are errors. In strips it does not ignore them,
        // and there a tag that libtiff does not know would be an error too. A line of a fax that does not decode is only a warning; the
        // inspection has cut out the tags that libtiff does not know.
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
