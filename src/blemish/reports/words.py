"""The labels of a report, in each language it can be written in."""

from typing import Literal, NamedTuple

from blemish.errors import OptionError
from blemish.language.translation import translated

__all__ = ["LANGUAGES", "WORDS", "Language", "Words"]

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = ("en", "ja")


class Label(NamedTuple):
    """One label in every language."""

    en: str
    ja: str


WORDS: dict[str, Label] = {
    "report": Label("Inspection report", "検査性能レポート"),
    "written": Label("Written", "作成日時"),
    "images": Label("{:,} images", "{:,}枚"),
    "parts": Label("{:,} parts", "{:,}個"),
    "good": Label("Good", "良品"),
    "defective": Label("Defective", "不良品"),
    "image AUROC": Label("Image AUROC", "画像AUROC"),
    "average precision": Label("Average precision", "平均適合率 (AP)"),
    "F1-max": Label("F1-max (oracle)", "最大F1(参考:評価データで選択)"),
    "pixel AUROC": Label("Pixel AUROC", "画素AUROC"),
    "AUPRO": Label("AUPRO at {:g}", "AUPRO(上限 {:g})"),
    "threshold": Label("Threshold", "しきい値"),
    "false rejects": Label("False rejects", "過検出率(良品をNG)"),
    "misses": Label("Misses", "見逃し率(不良をOK)"),
    "of good": Label("{part} of {whole} good images called NG", "良品画像{whole}枚のうち{part}枚がNG"),
    "of defective": Label("{part} of {whole} defective images called OK", "不良画像{whole}枚のうち{part}枚がOK"),
    "for review": Label("For review", "REVIEWの割合"),
    "of both": Label(
        "{good} of {good_of} good, {bad} of {bad_of} defective images",
        "良品{good_of}枚のうち{good}枚、不良品{bad_of}枚のうち{bad}枚",
    ),
    "time": Label("Time an image", "1枚あたりの時間"),
    "waited": Label("file to result, in a stream", "読込から判定まで(連続処理)"),
    "interval": Label("95 % interval", "95 %区間"),
    # Data
    "data": Label("Test data", "評価データ"),
    "source": Label("Source", "場所"),
    "test images": Label("Test images", "評価画像"),
    "groups": Label("Groups (parts)", "グループ数(部品数)"),
    "kinds": Label("Kinds of defect", "欠陥の種類"),
    "unreadable": Label("Could not be inspected", "検査できなかった画像"),
    "seed": Label("Seed of the intervals", "区間の乱数シード"),
    # Model
    "model": Label("Model", "モデル"),
    "file": Label("File", "ファイル"),
    "sha256": Label("SHA-256 of the file", "ファイルのSHA-256"),
    "created": Label("Fitted", "学習日時"),
    "method": Label("Method", "手法"),
    "fitted on": Label("Fitted on", "学習に使った良品"),
    "input": Label("Input (height x width)", "入力サイズ(縦 x 横)"),
    "bank": Label("Memory bank (patches x values)", "メモリバンク(パッチ x 次元)"),
    "backbone": Label("Backbone", "バックボーン"),
    "licence": Label("Licence of the weights", "重みのライセンス"),
    "backbone sha256": Label("SHA-256 of the backbone", "バックボーンのSHA-256"),
    "calibration": Label("Calibration", "しきい値の根拠"),
    "settings": Label("All settings", "全設定"),
    "setting": Label("Setting", "設定項目"),
    "value": Label("Value", "値"),
    # Operating point
    "operating point": Label("Operating point", "しきい値と誤判定"),
    "operating point says": Label(
        "Scores above the threshold are NG. Move the slider to see what another threshold does on these test images. "
        "A threshold chosen by them looks better here than it will on new parts.",
        "スコアがしきい値を超えた画像をNGとします。スライダーを動かすと、この評価画像に対する結果の変化を確認できます。"
        "ただし、評価画像に合わせてしきい値を選ぶと、新しい部品での性能を実際より高く見積もることになります。",
    ),
    "review says": Label(
        "Scores from {review}, the dashed line, up to the model's own threshold are REVIEW.",
        "スコアが{review}(破線)からモデルのしきい値までの画像は、REVIEWとします。",
    ),
    "held out": Label("Good, held out at calibration", "良品(しきい値の決定に使用)"),
    "good tested": Label("Good, tested", "良品(評価)"),
    "defective tested": Label("Defective, tested (hatched)", "不良品(評価、斜線)"),
    "own threshold": Label("The model's own", "モデルのしきい値"),
    "at the threshold": Label("At the threshold", "このしきい値での結果"),
    "rate": Label("Rate", "割合"),
    "count": Label("Images", "枚数"),
    "held out above": Label("Good, held out at calibration, above it", "しきい値を超えた良品(しきい値の決定に使用)"),
    "not NG": Label("Defective not called NG (OK or REVIEW)", "NGにならなかった不良品(OKまたはREVIEW)"),
    "other points": Label("False rejects against misses", "過検出と見逃し"),
    "other points say": Label(
        "What other operating points of this model would do to the parts tested; blemish calibrate moves the line.",
        "このモデルのしきい値を変えた場合の、評価部品に対する結果です。しきい値は blemish calibrate で変更できます。",
    ),
    # Curves
    "curves": Label("Curves", "曲線"),
    "ROC": Label("ROC", "ROC曲線"),
    "PR": Label("Precision and recall", "適合率・再現率曲線"),
    "ROC axes": Label("across: false rejects; up: defects found", "横軸:過検出率 縦軸:検出率"),
    "PR axes": Label(
        "across: defects found; up: share of NG that is defective", "横軸:検出率 縦軸:NGのうち不良品の割合"
    ),
    "circle": Label("The circle is the threshold.", "丸印は現在のしきい値です。"),
    # Defects
    "by defect": Label("By kind of defect", "欠陥の種類別"),
    "defect": Label("Defect", "欠陥"),
    "not NG of it": Label("Not called NG", "NGにならなかった枚数"),
    "AUROC": Label("AUROC", "AUROC"),
    "by defect says": Label(
        "Each kind of defect is compared with all good images. The images not called NG are counted at the threshold "
        "above.",
        "欠陥の種類ごとに、すべての良品画像と比較しています。NGにならなかった枚数は、上のしきい値で数えています。",
    ),
    # Cases
    "worst misses": Label("Defective images with the lowest scores", "スコアが最も低い不良画像"),
    "worst false alarms": Label("Good images with the highest scores", "スコアが最も高い良品画像"),
    "cases say": Label(
        "Magenta to yellow: the map is above a level that nine in ten good parts never reach. Blue outlines: regions.",
        "赤紫から黄色の部分は、良品10個のうち9個が一度も超えない値を、異常マップが超えた箇所です。青い線は領域の輪郭です。",
    ),
    "cases say why": Label(
        "Beside them: the image rebuilt from patches of good images. Below: what deviates, and the nearest good patch.",
        "右の画像は、良品のパッチで再現した画像です。下段は、良品と異なる箇所と、それに最も近い良品のパッチです。",
    ),
    "no map": Label(
        "There are no maps and no regions: this method scores each image as a whole.",
        "この手法は画像全体を1つのスコアで評価するため、異常マップと領域はありません。",
    ),
    "image": Label("image", "画像"),
    "overlay": Label("map and regions", "異常マップと領域"),
    "known": Label("known defect (mask)", "既知の欠陥(マスク)"),
    "remembered": Label("rebuilt from good patches", "良品のパッチで再現した画像"),
    "nearest image": Label("nearest good image", "最も近い良品画像"),
    "deviates": Label("deviates", "良品と異なる箇所"),
    "nearest good": Label("nearest good patch", "最も近い良品"),
    "missing": Label("Training images no longer there", "見つからない学習画像"),
    "distance": Label("distance", "距離"),
    "none": Label("None.", "ありません。"),
    # Speed and versions
    "speed": Label("Speed", "処理時間"),
    "speed says": Label(
        "Median milliseconds of the images shown above, inspected one at a time on all threads, and their range.",
        "上に示した画像を1枚ずつ全スレッドで検査した時間の中央値(ミリ秒)と範囲です。",
    ),
    "step": Label("Step", "処理"),
    "read": Label("read and size", "読込とリサイズ"),
    "network": Label("network", "ネットワーク"),
    "search": Label("search and score", "近傍探索とスコア"),
    "map": Label("map and regions", "マップと領域抽出"),
    "median": Label("median ms", "中央値 ms"),
    "range": Label("range ms", "範囲 ms"),
    "versions": Label("Versions", "バージョン"),
    "machine": Label("Machine", "実行環境"),
    "threads": Label("Threads", "スレッド数"),
    "provider": Label("Provider", "プロバイダー"),
    "notes": Label("Notes", "注記"),
}


class Words:
    """The labels of one language, by name."""

    def __init__(self, language: str) -> None:
        """Raises OptionError for a language there are no labels for."""
        if language not in LANGUAGES:
            raise OptionError(f'There are no labels in "{language}"; choose {" or ".join(LANGUAGES)}.')
        self.language = language
        self._column = LANGUAGES.index(language)

    def __call__(self, name: str) -> str:
        return WORDS[name][self._column]

    def sentence(self, english: str) -> str:
        """What a note or an error says, in this language."""
        return english if self.language == "en" else translated(english)
