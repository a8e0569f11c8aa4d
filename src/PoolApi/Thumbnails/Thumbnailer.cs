using System.Runtime.InteropServices;
using NetVips;
using PoolApi.Thumbnails.Inspection;

namespace PoolApi.Thumbnails;

/// <summary>
/// Makes a thumbnail of an encoded image: bytes in, bytes out, no state. It blocks the calling thread for tens of milliseconds to seconds, so it runs
/// on the pool. For each call libvips does the pixel work on one native thread, while the caller waits. So a call never uses more than one core.
/// </summary>
public static class Thumbnailer
{
    /// <summary>
    /// The most memory of the decoded image, in MiB. Some formats are decoded as a whole, and a pixel of four 16-bit channels takes eight times the memory
    /// of a grey one. So this limit bounds a worker's memory, and the number of pixels does not.
    /// </summary>
    public const int MaxDecodedMegabytes = 512;

    // Qualities whose losses are not visible at the size of thumbnails. AVIF's effort makes the largest result in seconds instead of a minute.
    private const int LossyQuality = 80;
    private const int WebpEffort = 4;
    private const int WebpEffortOfLarge = 2;
    private const int AvifQuality = 55;
    private const int AvifEffort = 1;

    private const string Library = "libvips.so.42";
    private const string IccProfile = "icc-profile-data";
    private const string Orientation = "orientation";

    private static readonly double[] White = [255];

    // Referenced for the life of the process, because native code calls it.
    private static readonly Log.LogDelegate Discard = static (_, _, _) => { };

    static Thumbnailer()
    {
        LoadLibrary();

        // One call is the work of one worker, and must not use the cores of other workers.
        NetVips.NetVips.Concurrency = 1;

        // Inputs do not repeat, so a cache of operations would only keep the pixels of other clients in memory.
        Cache.Max = 0;
        Cache.MaxMem = 0;
        Cache.MaxFiles = 0;

        // A second safeguard: loaders are called by name anyway.
        NetVips.NetVips.BlockUntrusted = true;

        // libvips and GLib write warnings about unusual images to stderr, so any client could fill the log. The exception has the same information. Fatal
        // errors are still written.
        Log.SetLogHandler("VIPS", Enums.LogLevelFlags.Warning | Enums.LogLevelFlags.Message | Enums.LogLevelFlags.Info, Discard);
        Log.SetLogHandler("GLib-GObject", Enums.LogLevelFlags.Critical | Enums.LogLevelFlags.Warning, Discard);
    }

    /// <summary>Loads libvips where NetVips's module initializer has not done it: PoolApi.csproj leaves that out of the native program.</summary>
    private static void LoadLibrary()
    {
        if (!ModuleInitializer.VipsInitialized && ModuleInitializer.Exception is null)
        {
            // NetVips names its imports as on Windows, libraries that libvips contains included.
            nint library = NativeLibrary.Load(Library, typeof(Thumbnailer).Assembly, searchPath: null);
            NativeLibrary.SetDllImportResolver(typeof(ModuleInitializer).Assembly, (_, _, _) => library);
            ModuleInitializer.VipsInitialized = NetVips.NetVips.Init();
        }
        if (!ModuleInitializer.VipsInitialized) throw new InvalidOperationException("libvips could not be loaded", ModuleInitializer.Exception);
    }

    /// <summary>
    /// Makes the thumbnail. A whole array is decoded in place; a slice of a larger array costs one native copy. The bytes must not change meanwhile.
    /// </summary>
    /// <exception cref="UnprocessableImageException">The image cannot become this thumbnail.</exception>
    /// <exception cref="OperationCanceledException">
    /// The token was cancelled. Decoding line by line, resizing and WebP encoding stop within milliseconds. What libvips does in one native call (the scans
    /// of a progressive JPEG, an AVIF image) finishes first.
    /// </exception>
    public static byte[] Make(ReadOnlyMemory<byte> image, ThumbnailSpec spec, CancellationToken cancellationToken = default) =>
        Make(image, spec, DecodeLimits.Default, cancellationToken);

    /// <summary>Makes the thumbnail of an image that costs no more than <paramref name="limits"/> to decode.</summary>
    /// <inheritdoc cref="Make(ReadOnlyMemory{byte}, ThumbnailSpec, CancellationToken)"/>
    public static byte[] Make(ReadOnlyMemory<byte> image, ThumbnailSpec spec, DecodeLimits limits, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(limits);
        if (!ImageSniffer.TryRecognise(image.Span, out var kind))
            throw new UnprocessableImageException($"the body is not an image of a known kind; it must be {ImageSniffer.Accepted}");
        return Make(InspectedImage.Inspect(image, kind.Value, limits), spec, cancellationToken);
    }

    /// <summary>Makes the thumbnail of an image that was inspected.</summary>
    /// <inheritdoc cref="Make(ReadOnlyMemory{byte}, ThumbnailSpec, CancellationToken)"/>
    internal static byte[] Make(InspectedImage image, ThumbnailSpec spec, CancellationToken cancellationToken)
    {
        if (spec.Width == 0)
            throw new ArgumentException("the spec is empty", nameof(spec));
        cancellationToken.ThrowIfCancellationRequested();
        if (image.Refusal is { } refusal)
            throw new UnprocessableImageException(refusal);
        try
        {
            using var reader = ImageReader.Open(image);
            using var pixels = Render(image, reader, spec, cancellationToken);
            return Encode(pixels, spec.Format, cancellationToken);
        }
        catch (VipsException e) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException("the thumbnail was cancelled", e, cancellationToken);
        }
    }

    // Only this method reads the client's bytes. So an exception of libvips in here is the image's fault, except for a lack of memory or disk space, and
    // later exceptions are faults of the service.
    private static Image Render(InspectedImage image, ImageReader reader, ThumbnailSpec spec, CancellationToken cancellationToken)
    {
        try
        {
            var geometry = ReadHeader(image, reader, spec);
            using var whole = RenderWhole(reader, geometry, cancellationToken);
            if (geometry.CutsFirst)
                ReadToTheEnd(reader, geometry, cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();

            var (width, height) = (geometry.Width, geometry.Height);
            return whole.Crop((whole.Width - width) / 2, (whole.Height - height) / 2, width, height);
        }
        catch (VipsException e) when (!cancellationToken.IsCancellationRequested && !VipsFault.IsOurs(e.Message))
        {
            throw new UnprocessableImageException(reader.Undecodable, e);
        }
    }

    // Closes its decoder before another one opens, so that never two of them are in memory.
    private static Image RenderWhole(ImageReader reader, ThumbnailGeometry geometry, CancellationToken cancellationToken)
    {
        using var decoded = reader.Load(geometry.Shrink);
        using var kill = KillOnCancel(decoded, cancellationToken);

        using var rendered = geometry.CutsFirst ? CutAndResize(decoded, geometry) : Resize(decoded, geometry);
        if (rendered.Format != Enums.BandFormat.Uchar || rendered.Bands > 4)
            throw new UnprocessableImageException("the image's colours are of a kind that cannot be converted to sRGB");

        return rendered.CopyMemory();
    }

    private static ThumbnailGeometry ReadHeader(InspectedImage image, ImageReader reader, ThumbnailSpec spec)
    {
        using var header = reader.Load(shrink: 1);

        var megapixels = (long)header.Width * header.Height / 1e6;
        if (megapixels > DecodeLimits.MaxSourceMegapixels)
        {
            throw new UnprocessableImageException(FormattableString.Invariant(
                $"the image has {megapixels:0.#} megapixels; at most {DecodeLimits.MaxSourceMegapixels} are accepted"));
        }

        // The estimate is for the picture that the walk over the container has found. In an AVIF the walk finds the coded images instead.
        if (image.Kind != ImageKind.Avif && (double)header.Width * header.Height > image.Cost.Pixels)
        {
            throw new UnprocessableImageException(FormattableString.Invariant(
                $"the image has {DecodeCost.Megapixels((double)header.Width * header.Height)}, and {DecodeCost.Megapixels(image.Cost.Pixels)} by its first header; such an image is not decoded"));
        }

        var megabytes = (long)header.Width * header.Height * header.Bands * BytesPerSample(header.Format) / 1_048_576.0;
        if (megabytes > MaxDecodedMegabytes)
        {
            throw new UnprocessableImageException(FormattableString.Invariant(
                $"the image takes {megabytes:0} MiB once decoded; at most {MaxDecodedMegabytes} are accepted"));
        }

        // EXIF orientations 5 to 8 swap the axes.
        var sideways = header.Contains(Orientation) && header.Get(Orientation) is int and >= 5 and <= 8;
        var geometry = ThumbnailGeometry.Plan(header.Width, header.Height, sideways, spec);
        if (ResultCost.Refusal(image, geometry, header.Bands, spec.Format) is { } refusal)
            throw new UnprocessableImageException(refusal);
        return geometry;
    }

    private static int BytesPerSample(Enums.BandFormat format) => format switch
    {
        Enums.BandFormat.Uchar or Enums.BandFormat.Char => 1,
        Enums.BandFormat.Ushort or Enums.BandFormat.Short => 2,
        Enums.BandFormat.Double or Enums.BandFormat.Complex => 8,
        Enums.BandFormat.Dpcomplex => 16,
        _ => 4,
    };

    // Every image made from this one, up to the encoder's, checks its kill flag. A cancellation only sets the flag, so native code calls no managed code.
    // Disposing the registration waits for a running callback.
    private static CancellationTokenRegistration KillOnCancel(Image decoded, CancellationToken cancellationToken)
    {
        decoded.SetProgress(true);
        return cancellationToken.UnsafeRegister(static image => ((Image)image!).SetKill(true), decoded);
    }

    private static Image CutAndResize(Image decoded, ThumbnailGeometry geometry)
    {
        var (left, top, width, height) = geometry.Middle(decoded.Width, decoded.Height);
        using var middle = decoded.Crop(left, top, width, height);
        return Resize(middle, geometry);
    }

    private static Image Resize(Image image, ThumbnailGeometry geometry)
    {
        if (!image.Contains(IccProfile))
            return ToSize(image, geometry, profile: null);
        try
        {
            return ToSize(image, geometry, profile: "srgb");
        }
        catch (VipsException)
        {
            // The profile is damaged or does not fit the pixels. The image is shown without it.
            using var plain = image.Mutate(static copy => copy.Remove(IccProfile));
            return ToSize(plain, geometry, profile: null);
        }
    }

    // Also turns the image upright and converts its colours to 8-bit sRGB or grey.
    private static Image ToSize(Image image, ThumbnailGeometry geometry, string? profile) => image.ThumbnailImage(
        geometry.WholeWidth, height: geometry.WholeHeight, size: Enums.Size.Force, outputProfile: profile, intent: Enums.Intent.Relative);

    // The lines below the cut were not decoded. Decoding the last line makes sure that every truncated file is refused. It takes another
    // decoder, because the first one cannot go back.
    private static void ReadToTheEnd(ImageReader reader, ThumbnailGeometry geometry, CancellationToken cancellationToken)
    {
        using var decoded = reader.Load(geometry.Shrink);
        using var kill = KillOnCancel(decoded, cancellationToken);
        using var lastLine = decoded.Crop(0, decoded.Height - 1, decoded.Width, 1);
        lastLine.Avg();
    }

    private static byte[] Encode(Image pixels, ThumbnailFormat format, CancellationToken cancellationToken)
    {
        using var kill = KillOnCancel(pixels, cancellationToken);
        var result = format switch
        {
            ThumbnailFormat.Webp => pixels.WebpsaveBuffer(q: LossyQuality, effort: IsThorough(pixels) ? WebpEffort : WebpEffortOfLarge, keep: Enums.ForeignKeep.None),
            ThumbnailFormat.Jpeg => EncodeJpeg(pixels),
            ThumbnailFormat.Png => pixels.PngsaveBuffer(keep: Enums.ForeignKeep.None),
            ThumbnailFormat.Avif => pixels.HeifsaveBuffer(
                q: AvifQuality, compression: Enums.ForeignHeifCompression.Av1, effort: AvifEffort, keep: Enums.ForeignKeep.None),
            _ => throw new ArgumentOutOfRangeException(nameof(format), format, "not a thumbnail format"),
        };
        cancellationToken.ThrowIfCancellationRequested();
        return result;
    }

    private static byte[] EncodeJpeg(Image pixels)
    {
        if (!pixels.HasAlpha())
            return SaveJpeg(pixels);

        using var opaque = pixels.Flatten(background: White);
        return SaveJpeg(opaque);
    }

    private static byte[] SaveJpeg(Image pixels) =>
        pixels.JpegsaveBuffer(q: LossyQuality, optimizeCoding: IsThorough(pixels), keep: Enums.ForeignKeep.None);

    private static bool IsThorough(Image pixels) => ResultCost.IsThorough((long)pixels.Width * pixels.Height);
}
